"""A check that is cancelled leaves nothing behind, whenever that happens."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store

MOMENTS = 50


def project(folder: Path, count: int) -> tuple[Pipeline, VectorContract]:
    side = int(np.sqrt(count))
    x, y = (v.ravel().astype(float) for v in np.meshgrid(np.arange(side), np.arange(side)))
    grown = np.where(np.arange(len(x)) % 100 == 0, 0.1, 0.0)
    sheet = geopandas.GeoDataFrame(
        {"id": np.arange(len(x))},
        geometry=shapely.box(x, y, x + 1 + grown, y + 1),
        crs="EPSG:32633",
    )
    if not (folder / "same.gpkg").exists():
        sheet.to_parquet(folder / "sheet.parquet", index=False)
        sheet.to_file(folder / "same.gpkg")
    contract = VectorContract.model_validate(
        {
            "name": "sheet",
            "source": {"uri": str(folder / "sheet.parquet")},
            "key": ["id"],
            "rules": [
                {"rule": "unique", "columns": ["id"]},
                {"rule": "valid_geometry"},
                {"rule": "must_not_overlap"},
                {"rule": "must_not_have_gaps"},
                {"rule": "same_features_as", "other": {"uri": str(folder / "same.gpkg")}},
                {"rule": "round_trips", "format": "GPKG"},
            ],
        }
    )
    return Pipeline({"sheet": contract}, Store(folder / "store"), jobs=2), contract


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("spatial-")]


def leftovers(store: Path) -> list[Path]:
    names = (".unfinished", ".violations", ".tmp")
    return [p for p in store.rglob("*") if any(n in p.name for n in names)]


def told(audit: Any) -> list[Any]:
    return [(r.name, r.status, r.checked, r.violations, r.sample) for r in audit.results]


def test_fifty_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    chance = random.Random(50)

    async def cancelled(after: float) -> bool:
        task = asyncio.create_task(check_all(pipeline, [(contract, None)], None))
        await asyncio.sleep(after)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    folder = tmp_path / "whole"
    folder.mkdir()
    pipeline, contract = project(folder, 400)
    version = pipeline.stage(contract)
    # The first check of a process imports what it needs: it takes longer than those cut short.
    asyncio.run(pipeline.audit(contract, version))
    begun = time.perf_counter()
    expected = told(asyncio.run(pipeline.audit(contract, version)))
    whole = time.perf_counter() - begun

    stopped = 0
    folder = tmp_path / "again"
    folder.mkdir()
    for i in range(MOMENTS):
        if i % 10 == 0:  # staging is cut short now and then, not only the check
            folder = tmp_path / f"again{i}"
            folder.mkdir()
            pipeline, contract = project(folder, 400)
        stopped += asyncio.run(cancelled(chance.uniform(0, whole)))
        assert threads() == []
        assert list(temporary.iterdir()) == []
        assert leftovers(folder) == []
        for known in pipeline.store.versions("sheet", None):
            assert pipeline.store.profile(known).error is None
    assert stopped > MOMENTS / 2
    version = pipeline.stage(contract)
    assert told(asyncio.run(pipeline.audit(contract, version))) == expected


def test_an_interrupted_command_ends_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    pipeline, contract = project(tmp_path, 20_000)
    pipeline.stage(contract)
    script = (
        "import asyncio, sys, time, threading\n"
        "from pathlib import Path\n"
        "from spatial_pipeline.runtime.event_loop import run_sync\n"
        "from spatial_pipeline_tests.test_cancelled import project, threads\n"
        "pipeline, contract = project(Path(sys.argv[1]), 20_000)\n"
        "version = pipeline.stage(contract)\n"
        "def said(done, total):\n"
        "    if done == 1: print('working', flush=True)\n"
        "try:\n"
        "    run_sync(pipeline.audit(contract, version, progress=said))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', threads(), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "interrupted []\n"
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []

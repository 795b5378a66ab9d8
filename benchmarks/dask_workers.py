"""Two Dask workers of one thread against one, and with one of the two killed midway.

The clock runs from the question to the verdict, connecting to the scheduler included; workers run
already and have checked once, as those of a cluster have. Nothing is remembered of earlier checks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store

RULES: tuple[dict[str, Any], ...] = (
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 0},
    {"rule": "valid_geometry"},
    {"rule": "finite_coordinates"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
)


def polygons(count: int) -> geopandas.GeoDataFrame:
    """A sheet of ``count`` squares of 17 vertices, one in a thousand enlarged.

    Args:
        count: number of polygons.

    """
    side = int(np.ceil(np.sqrt(count)))
    x, y = (v.ravel()[:count] for v in np.meshgrid(np.arange(side) * 1.0, np.arange(side) * 1.0))
    grown = np.where(np.arange(count) % 1000 == 0, 0.1, 0.0)
    shapes = shapely.segmentize(shapely.box(x, y, x + 1 + grown, y + 1), 0.25)
    return geopandas.GeoDataFrame({"id": np.arange(count)}, geometry=shapes, crs="EPSG:32633")


@contextmanager
def process(folder: Path, what: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker without a nanny, until the end of the block."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


class Machines:
    """A scheduler, and workers of one thread each."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        told = folder / "scheduler.json"
        arguments = ("--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told))
        stack.enter_context(process(folder, "scheduler", *arguments))
        while not told.exists() or not told.read_text().strip():
            time.sleep(0.05)
        self.address: str = json.loads(told.read_text())["address"]
        self.workers: list[subprocess.Popen[bytes]] = []

    def have(self, count: int) -> None:
        """Hires or dismisses workers, and waits until the scheduler knows."""
        from distributed import Client

        while len(self.workers) > count:
            self.kill()
        for _ in range(count - len(self.workers)):
            arguments = (self.address, "--nthreads", "1", "--no-nanny")
            self.workers.append(
                self.stack.enter_context(process(self.folder, "worker", *arguments))
            )
        with Client(self.address, set_as_default=False) as client:
            while len(client.nthreads()) != count:
                time.sleep(0.05)

    def kill(self) -> None:
        """Kills the worker that was hired last."""
        worker = self.workers.pop()
        worker.kill()
        worker.wait()


def checked(
    pipeline: Pipeline, contract: VectorContract, version: Version, progress: Any = None
) -> tuple[float, tuple[Any, ...]]:
    """Seconds of a check and everything that it says."""
    begun = time.perf_counter()
    options = {} if progress is None else {"progress": progress}
    audit = asyncio.run(pipeline.audit(contract, version, **options))
    seconds = time.perf_counter() - begun
    layer = (pipeline.store.path(version) / "violations.parquet").read_bytes()
    return seconds, (*(replace(r, elapsed_s=0.0) for r in audit.results), layer)


def main() -> None:
    """Prints one JSON object; fails when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spatial-dask-") as name, ExitStack() as stack:
        folder = Path(name)
        polygons(given.features).to_parquet(folder / "sheet.parquet", index=False)
        contract = VectorContract.model_validate(
            {
                "name": "sheet",
                "source": {"uri": str(folder / "sheet.parquet")},
                "key": ["id"],
                "rules": list(RULES),
            }
        )
        # A check that remembers the last one looks at next to nothing: that is not compared here.
        local = Pipeline({"sheet": contract}, Store(folder / "store"), incremental=False)
        version = local.stage(contract)
        here = [checked(local, contract, version) for _ in range(given.runs)]
        answer = here[0][1]
        machines = Machines(folder, stack)
        pipeline = replace(local, dask_scheduler=machines.address)
        seconds: dict[str, list[float]] = {"local": [s for s, _ in here]}
        equal = True

        def killing(done: int, total: int) -> None:
            if done >= total // 2 and len(machines.workers) == 2:
                machines.kill()

        for run in range(given.runs + 1):
            for what, count in (("one", 1), ("two", 2), ("two_one_killed_midway", 2)):
                machines.have(count)
                if count == 2:  # the first check of a worker imports
                    checked(pipeline, contract, version)
                progress = killing if "killed" in what else None
                took, said = checked(pipeline, contract, version, progress)
                equal &= said == answer
                if run:  # memory is touched for the first time only once
                    seconds.setdefault(what, []).append(took)
        medians = {what: round(statistics.median(s), 3) for what, s in seconds.items()}
        figures = {
            "features": given.features,
            "answers_equal": equal,
            "median_s": medians,
            "two_over_one": round(medians["two"] / medians["one"], 3),
            "killed_over_one": round(medians["two_one_killed_midway"] / medians["one"], 3),
        }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()

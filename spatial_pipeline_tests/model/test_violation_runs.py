"""Findings in files give what violations in memory give, to the byte, to whoever reads them."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
import shapely.affinity

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.model.violation_runs import SpilledViolations
from spatial_pipeline.pipeline import pipeline as run
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.suppressions import write_baselines
from spatial_pipeline.report import violation_export, violations
from spatial_pipeline.report.drawing import draw
from spatial_pipeline.report.quarantine import named_rows
from spatial_pipeline.report.sarif import sarif
from spatial_pipeline.settings import Settings
from spatial_pipeline.store import violation_files

COUNT = 300
BOW_TIE = shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))")


def contract(folder: Path) -> VectorContract:
    shapes = [
        shapely.affinity.translate(BOW_TIE, 2 * i) if i % 3 else shapely.box(2 * i, 5, 2 * i + 1, 6)
        for i in range(COUNT)
    ]
    values = {"id": [f"k{i}" for i in range(COUNT)], "value": [i % 7 for i in range(COUNT)]}
    frame = geopandas.GeoDataFrame(values, geometry=shapes, crs="EPSG:32633")
    frame.to_file(folder / "shapes.gpkg")
    rules: list[dict[str, Any]] = [
        {"rule": "valid_geometry", "baseline": "accepted.json"},
        {"rule": "value_range", "column": "value", "max": 3, "except_keys": [["k4"], ["k5"]]},
        {"rule": "must_not_overlap"},
    ]
    value = VectorContract.model_validate(
        {"name": "shapes", "source": {"uri": "shapes.gpkg"}, "key": ["id"], "rules": rules}
    )
    value._path = folder / "defs.yaml"
    return value


def told(folder: Path, given: VectorContract, *, in_files: bool) -> dict[str, Any]:
    """Everything that anybody makes of one check, and the bytes of its layer and baseline."""
    pipeline = Pipeline.of([given], Settings(store=folder / f"store-{in_files}"))
    (checked,) = asyncio.run(check_all(pipeline, [(given, None)], None, baselines=False))
    spilled = {r.name for r, f in checked.evaluations if isinstance(f, SpilledViolations)}
    assert spilled == ({"valid_geometry", "value_range"} if in_files else set())
    (layer,) = pipeline.store.root.glob("shapes/*/*/violations.parquet")
    write_baselines([given], [checked])
    baseline = given.base / "accepted.json"
    files = violation_export.export(
        [violations.to_table(checked.evaluations, None)], folder / f"layer-{in_files}.parquet"
    )
    found = {
        "layer": layer.read_bytes(),
        "exported": [f.read_bytes() for f in files],
        "baseline": baseline.read_bytes(),
        "sarif": sarif([given], [checked]),
        "rows": named_rows(checked),
        "drawing": draw(checked),
        "results": [(r.message, r.violations, r.value, r.sample, r.excepted, r.status)
                    for r in checked.results],
    }  # fmt: skip
    baseline.unlink()
    return found


def test_whoever_reads_findings_in_files_gets_those_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = contract(tmp_path)
    expected = told(tmp_path, given, in_files=False)
    monkeypatch.setattr(run, "FINDINGS_SHARE", 1 << 60)
    assert told(tmp_path, given, in_files=True) == expected


def test_what_is_accepted_is_left_out_of_findings_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = contract(tmp_path)
    pipeline = Pipeline.of([given], Settings(store=tmp_path / "store"))
    checked = asyncio.run(check_all(pipeline, [(given, None)], None, baselines=False))
    write_baselines([given], checked)
    # Half of what is accepted goes, so that half of the violations are new.
    baseline = given.base / "accepted.json"
    lines = baseline.read_text().split('{\n     "fingerprint"')
    baseline.write_text('{\n     "fingerprint"'.join([lines[0], *lines[1::2][:-1], lines[-1]]))

    def again() -> list[Any]:
        version = pipeline.stage(given)
        audit = asyncio.run(pipeline.audit(given, version))
        layer = pipeline.store.path(version) / "violations.parquet"
        said = [(r.message, r.violations, r.excepted, r.sample) for r in audit.results]
        return [said, layer.read_bytes(), [len(f) for _, f in audit.evaluations]]

    expected = again()
    assert any(r[2].get("baseline") and r[1] for r in expected[0])
    assert any(r[2].get("keys") for r in expected[0])
    monkeypatch.setattr(run, "FINDINGS_SHARE", 1 << 60)
    assert again() == expected


def test_files_go_with_the_findings_and_when_a_check_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "FINDINGS_SHARE", 1 << 60)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = contract(tmp_path)
    pipeline = Pipeline.of([given], Settings(store=tmp_path / "store"))
    version = pipeline.stage(given)
    audit = asyncio.run(pipeline.audit(given, version))
    folders = list(tmp_path.glob(f"{violation_files.PREFIX}*"))
    assert len(folders) == 1
    del audit
    gc.collect()
    assert not folders[0].exists()

    def full(*_: Any) -> None:
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr(Pipeline, "_record", full)
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(pipeline.audit(given, version))
    assert not list(tmp_path.glob(f"{violation_files.PREFIX}*"))

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.store_report import store_report, stored_violations
from spatial_pipeline.store.versions import Store


@pytest.fixture
def checked(tmp_path: Path) -> Any:
    """A pipeline with a checked version, and what the check found."""
    shapes = [*shapely.box(np.arange(30) * 0.9, 0, np.arange(30) * 0.9 + 1, 1), None]
    ids = [*range(30), 3]
    frame = geopandas.GeoDataFrame({"id": ids}, geometry=shapes, crs="EPSG:32633")
    frame.to_file(tmp_path / "strip.gpkg")
    rules = [{"rule": "must_not_overlap"}, {"rule": "unique", "columns": ["id"]}, {"rule": "crs"}]
    contract = VectorContract.model_validate(
        {
            "name": "strip",
            "key": ["id"],
            "source": {"uri": str(tmp_path / "strip.gpkg")},
            "rules": [*rules[:2], {"rule": "crs", "equals": "EPSG:32633"}],
        }
    )
    pipeline = Pipeline({"strip": contract}, Store(tmp_path / "store"))
    version = pipeline.stage(contract)
    return pipeline, version, asyncio.run(pipeline.audit(contract, version))


def test_the_store_says_what_the_check_found(checked: Any) -> None:
    pipeline, version, audit = checked
    (told,) = store_report(pipeline.store, [("strip", None)])
    assert told.version == version.id
    assert not told.passed
    assert [r for r, _ in told.evaluations] == audit.results
    for (_, stored), (_, found) in zip(told.evaluations, audit.evaluations, strict=True):
        assert len(stored) == len(found)
        assert [str(r) for r in stored.reasons] == [str(r) for r in found.reasons]
        if len(found):
            assert stored.keys.tolist() == found.keys.tolist()
        assert np.array_equal(stored.measure, found.measure, equal_nan=True)
        pairs = zip(stored.geometry, found.geometry, strict=True)
        assert all(a is b or a.equals_exact(b) for a, b in pairs)
    assert told.scene is not None
    assert len(told.scene.around) == 30
    assert told.readers_see == "nothing yet"
    assert [v.state for v in told.history] == ["held"]
    assert told.layer.endswith("violations.parquet")
    assert set(told.more.values()) == {0}


def test_no_more_violations_are_read_than_the_page_shows(checked: Any) -> None:
    pipeline, version, _ = checked
    layer = pipeline.store.path(version) / "violations.parquet"
    found, sizes = stored_violations(layer, 5)
    assert sizes == {"must_not_overlap": 29, "unique": 2}
    assert {name: len(v) for name, v in found.items()} == {"must_not_overlap": 5, "unique": 2}
    assert stored_violations(layer.with_name("none.parquet"), 5) == ({}, {})


def test_a_version_without_a_verdict_and_a_damaged_one_are_told_too(checked: Any) -> None:
    pipeline, version, _ = checked
    folder = pipeline.store.path(version)
    (folder / "data.parquet").write_bytes(b"PAR1 no more")
    (told,) = store_report(pipeline.store, [("strip", None)])
    assert told.scene is None
    assert len(told.results) > 2
    (folder / "verdict.json").unlink()
    (told,) = store_report(pipeline.store, [("strip", None)])
    assert (told.results, told.passed) == ((), False)
    with pytest.raises(StoreError):
        list(store_report(pipeline.store, [("unknown", None)]))

"""The story of a dataset without Dagster: stage, audit, publish, roll back."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
from affine import Affine

from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import (
    GateClosedError,
    NotPublishedError,
    SourceLostError,
    StoreError,
)
from spatial_pipeline.ingest.cage import client
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Audit, Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, write_points


def contract(folder: Path, name: str = "points", **changes: Any) -> VectorContract:
    return VectorContract.model_validate(
        {
            "name": name,
            "source": {"uri": str(folder / f"{name}.geojson")},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "feature_count", "min": 1}],
            **changes,
        }
    )


def story(folder: Path, *contracts: Contract) -> Pipeline:
    return Pipeline.of(contracts, Settings(store=folder / "store"))


def audited(pipeline: Pipeline, of: Contract, **how: Any) -> tuple[Version, Audit]:
    version = pipeline.stage(of)
    return version, asyncio.run(pipeline.audit(of, version, **how))


def test_stage_audit_publish_read(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    version, audit = audited(pipeline, of)
    assert audit.verdict.passed
    assert [r.name for r in audit.results] == [
        "readable",
        "staged_matches_source",
        "not_empty",
        "feature_count",
    ]
    pipeline.publish(of, version)
    assert pipeline.read("points").profile.count == 3


def test_nothing_is_rebuilt_when_nothing_changed(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    version = pipeline.stage(of)
    data = pipeline.store.data_path(version)
    before = data.stat().st_mtime_ns
    (tmp_path / "points.geojson").touch()
    assert pipeline.stage(of) == version
    assert data.stat().st_mtime_ns == before
    write_points(tmp_path / "points.geojson", BAD)
    assert pipeline.stage(of) != version


def test_a_source_that_changes_under_the_reader_is_filed_under_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "points.geojson"
    write_points(source, GOOD)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    read = client.stage

    def supplied_meanwhile(*arguments: Any) -> Any:
        write_points(source, BAD)
        return read(*arguments)

    monkeypatch.setattr(client, "stage", supplied_meanwhile)
    with pytest.raises(SourceLostError, match="changed while it was read"):
        pipeline.stage(of)
    assert pipeline.store.versions("points", None) == []
    monkeypatch.undo()
    assert not audited(pipeline, of)[1].verdict.passed


def test_the_violation_layer_holds_what_failed(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", BAD)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    version, audit = audited(pipeline, of)
    assert not audit.verdict.passed
    table = pq.read_table(pipeline.store.path(version) / "violations.parquet")
    assert table.column("rule").to_pylist() == ["not_empty"]
    with pytest.raises(GateClosedError, match="not_empty: failed"):
        pipeline.publish(of, version)


def test_checking_some_rules_keeps_the_violations_of_the_others(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", BAD)
    of = contract(tmp_path, rules=[{"rule": "not_empty"}, {"rule": "feature_count", "min": 1}])
    pipeline = story(tmp_path, of)
    version, _ = audited(pipeline, of)
    layer = pipeline.store.path(version) / "violations.parquet"
    asyncio.run(pipeline.audit(of, version, only=["feature_count"]))
    assert pq.read_table(layer).column("rule").to_pylist() == ["not_empty"]
    looser = contract(tmp_path, rules=[{"rule": "feature_count", "min": 1}])
    asyncio.run(pipeline.audit(looser, version))
    assert pq.read_table(layer).num_rows == 0
    pipeline.publish(looser, version)


def test_another_dataset_is_read_as_published(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    write_points(tmp_path / "copy.geojson", GOOD)
    points = contract(tmp_path)
    rule = {"rule": "same_features_as", "other": {"dataset": "points"}, "key": ["id"]}
    copy = contract(tmp_path, "copy", rules=[rule])
    pipeline = story(tmp_path, points, copy)

    _, audit = audited(pipeline, copy)
    result = audit.results[-1]
    assert result.status is Status.ERROR
    assert "'points' has no published version yet" in result.message

    _, audit = audited(pipeline, copy, stand_in=True)
    assert audit.results[-1].passed
    assert "compared with what is staged of points" in audit.results[-1].message

    version, _ = audited(pipeline, points)
    pipeline.publish(points, version)
    write_points(tmp_path / "points.geojson", BAD)
    audited(pipeline, points)
    _, audit = audited(pipeline, copy)
    assert audit.results[-1].passed
    assert list(audit.results[-1].against.values()) == [version.id]


def test_a_version_that_is_published_is_compared_with_the_one_before_it(tmp_path: Path) -> None:
    loose = contract(tmp_path, rules=[{"rule": "count_change", "max_fraction": 1}])
    tight = contract(tmp_path, rules=[{"rule": "count_change", "max_fraction": 0.1}])
    pipeline = story(tmp_path, loose)
    versions = []
    for count in (4, 6):
        write_points(tmp_path / "points.geojson", [[i, 0] for i in range(count)])
        version, audit = audited(pipeline, loose)
        pipeline.publish(loose, version)
        versions.append(version)
    audit = asyncio.run(pipeline.audit(tight, version))
    (result,) = (r for r in audit.results if r.rule == "count_change")
    assert (result.passed, result.value) == (False, 0.5)
    assert list(result.against.values()) == [versions[0].id]
    # The first publication has nothing before it, but what readers see now.
    audit = asyncio.run(pipeline.audit(tight, versions[0]))
    (result,) = (r for r in audit.results if r.rule == "count_change")
    assert list(result.against.values()) == [versions[1].id]


def test_another_source_is_read_as_it_is(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    write_points(tmp_path / "other.geojson", GOOD)
    rule = {"rule": "same_features_as", "other": {"uri": "other.geojson"}, "key": ["id"]}
    of = contract(tmp_path, rules=[rule])
    of._path = tmp_path / "defs.yaml"
    pipeline = story(tmp_path, of)
    assert audited(pipeline, of)[1].results[-1].passed
    write_points(tmp_path / "other.geojson", [*GOOD, [9, 9]])
    assert audited(pipeline, of)[1].results[-1].status is Status.FAILED
    (tmp_path / "other.geojson").unlink()
    result = audited(pipeline, of)[1].results[-1]
    assert result.status is Status.ERROR
    assert "other.geojson" in result.message


@pytest.mark.parametrize("format_name", ["GPKG", "FlatGeobuf", "GeoJSON"])
def test_round_trips(tmp_path: Path, format_name: str) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    of = contract(tmp_path, rules=[{"rule": "round_trips", "format": format_name}])
    _, audit = audited(story(tmp_path, of), of)
    assert audit.results[-1].passed, audit.results[-1].message


def test_a_raster_round_trips(tmp_path: Path) -> None:
    values = np.arange(40 * 30, dtype="uint16").reshape(1, 40, 30)
    with rasterio.open(
        tmp_path / "dem.tif",
        "w",
        driver="GTiff",
        width=30,
        height=40,
        count=1,
        dtype="uint16",
        crs="EPSG:32633",
        transform=Affine(10, 0, 500000, 0, -10, 4649776),
        nodata=0,
    ) as file:
        file.write(values)
    of = RasterContract.model_validate(
        {
            "name": "dem",
            "source": {"uri": str(tmp_path / "dem.tif")},
            "rules": [
                {"rule": "round_trips", "format": "GTiff"},
                {"rule": "same_pixels_as", "other": {"uri": str(tmp_path / "dem.tif")}},
                {"rule": "pixel_range", "min": 1, "max": 1200},
            ],
        }
    )
    pipeline = story(tmp_path, of)
    version, audit = audited(pipeline, of)
    assert [r.status for r in audit.results] == [Status.PASSED] * 5, audit.results
    pipeline.publish(of, version)
    assert (pipeline.read("dem").read(0, 0, 40, 30).values == values).all()


def test_rollback_checks_the_earlier_version_against_today(tmp_path: Path) -> None:
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    versions = []
    for points in (GOOD, [*GOOD, [7, 7]]):
        write_points(tmp_path / "points.geojson", points)
        version, _ = audited(pipeline, of)
        pipeline.publish(of, version)
        versions.append(version)
    loosened = contract(tmp_path, rules=[{"rule": "feature_count", "min": 2}])
    publication = asyncio.run(pipeline.roll_back(loosened))
    assert publication.version == versions[0].id
    assert pipeline.read("points").profile.count == 3
    with pytest.raises(GateClosedError, match="withdrawn"):
        pipeline.publish(of, versions[1])

    tightened = contract(tmp_path, rules=[{"rule": "feature_count", "min": 4}])
    asyncio.run(pipeline.roll_back(of, to=versions[1].id))
    with pytest.raises(GateClosedError, match="feature_count: failed"):
        asyncio.run(pipeline.roll_back(tightened, to=versions[0].id))
    assert pipeline.read("points").profile.count == 4


def test_nothing_to_roll_back_to(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)
    with pytest.raises(NotPublishedError):
        asyncio.run(pipeline.roll_back(of))
    version, _ = audited(pipeline, of)
    with pytest.raises(StoreError, match=version.id):
        asyncio.run(pipeline.roll_back(of, to="nope"))


def test_sources_that_are_not_allowed(tmp_path: Path) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    of = contract(tmp_path)
    settings = Settings(store=tmp_path / "store", allowed_sources=(str(tmp_path / "inbox"),))
    pipeline = Pipeline.of([of], settings)
    _, audit = audited(pipeline, of)
    assert audit.results[0].status is Status.FAILED
    assert "SPATIAL_ALLOWED_SOURCES" in audit.results[0].message


@pytest.mark.parametrize(("told", "named"), [("0.05", True), ("0", False)])
def test_what_blocks_the_loop_of_a_check_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    told: str,
    named: bool,
) -> None:
    write_points(tmp_path / "points.geojson", GOOD)
    monkeypatch.setenv("SPATIAL_SLOW_CALLBACK_S", told)
    of = contract(tmp_path)
    pipeline = story(tmp_path, of)

    def lazy_progress(_done: int, _total: int) -> None:
        time.sleep(0.3)

    audited(pipeline, of, progress=lazy_progress)
    assert ("lazy_progress (test_pipeline.py:" in caplog.text) is named


def test_a_file_that_comes_or_goes_beside_the_source_is_checked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_points(tmp_path / "in/points.geojson", GOOD)
    rule = {"rule": "delivery_contents", "required": ["*.txt"], "optional": ["*.geojson"]}
    of = contract(tmp_path / "in", rules=[rule])
    pipeline = story(tmp_path, of)
    seen = []
    for name, written in (("a.txt", True), ("b.md", True), ("b.md", False), ("a.txt", False)):
        (tmp_path / "in" / name).write_text("") if written else (tmp_path / "in" / name).unlink()
        version, audit = audited(pipeline, of)
        violations = audit.evaluations[-1][1].reasons.tolist()
        seen.append((version.id, audit.verdict.passed, violations))
    ids, passed, reasons = zip(*seen, strict=True)
    assert passed == (True, False, True, False)
    assert reasons == ([], ["b.md is not expected"], [], ["*.txt is missing"])
    assert (ids[0], len(set(ids))) == (ids[2], 3)
    (tmp_path / "in/points.geojson").unlink()
    _, audit = audited(pipeline, of)
    assert audit.evaluations[-1][1].reasons.tolist() == ["*.txt is missing"]


def test_a_source_that_is_written_again_is_fresh_again(tmp_path: Path) -> None:
    file = tmp_path / "points.geojson"
    write_points(file, GOOD)
    of = contract(tmp_path, rules=[{"rule": "freshness", "source_time": True, "max_age": "1h"}])
    pipeline = story(tmp_path, of)
    os.utime(file, (0, 0))
    old, audit = audited(pipeline, of)
    assert not audit.verdict.passed
    assert "written at 1970-01-01T00:00:00+00:00" in audit.results[-1].message
    os.utime(file)
    fresh, audit = audited(pipeline, of)
    assert audit.verdict.passed
    plain = contract(tmp_path)
    assert len({old, fresh, pipeline.stage(plain)}) == 3
    assert pipeline.store.profile(pipeline.stage(plain)).changed is None


def test_several_datasets_are_one_layer_and_age_a_verdict_each(tmp_path: Path) -> None:
    others = [contract(tmp_path, name) for name in ("west", "east")]
    write_points(tmp_path / "points.geojson", GOOD)
    write_points(tmp_path / "west.geojson", GOOD[:1])
    write_points(tmp_path / "east.geojson", GOOD[1:])
    datasets = [{"dataset": o.name} for o in others]
    of = contract(tmp_path, rules=[{"rule": "must_coincide_with", "others": datasets}])
    pipeline = story(tmp_path, of, *others)
    for other in others:
        version, _ = audited(pipeline, other)
        pipeline.publish(other, version)
    version, audit = audited(pipeline, of)
    assert audit.verdict.passed
    assert len(audit.results[-1].against) == 2
    pipeline.publish(of, version)
    write_points(tmp_path / "east.geojson", [GOOD[1]])
    newer, _ = audited(pipeline, others[1])
    pipeline.publish(others[1], newer)
    assert "of east, of which" in pipeline.decide(of, version).reasons[0]
    _, audit = audited(pipeline, of)
    assert audit.evaluations[-1][1].rows[:, 0].tolist() == [2]


def test_a_key_of_an_earlier_published_version_is_not_used_again(tmp_path: Path) -> None:
    rule = {"rule": "stable_keys", "no_reuse": True, "min_kept": 0}
    of = contract(tmp_path, rules=[rule])
    pipeline = story(tmp_path, of)
    for points in ([*GOOD, [7, 7]], GOOD):
        write_points(tmp_path / "points.geojson", points)
        version, audit = audited(pipeline, of)
        assert audit.verdict.passed
        pipeline.publish(of, version)
    write_points(tmp_path / "points.geojson", [*GOOD, [8, 8]])
    _, audit = audited(pipeline, of)
    assert audit.evaluations[-1][1].reasons.tolist() == ["reused"]
    write_points(tmp_path / "points.geojson", [*GOOD, [7, 7], [5, 5]])
    _, audit = audited(pipeline, of)
    assert audit.verdict.passed

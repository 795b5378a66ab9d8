"""What was staged is what was read; whatever is changed in the staged file is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.rules.metadata import NotNull
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.store.staged import StagedRaster, StagedVector
from spatial_pipeline_tests.ingest.sources import (
    points,
    ramp,
    stage,
    table_of,
    write_layer,
    write_raster,
)

COUNT = 40_000
"""More than two row groups."""


def judged(data: Any, jobs: int = 1) -> tuple[Result, Violations]:
    return asyncio.run(evaluate([StagedMatchesSource()], data, plan=Plan(jobs=jobs)))[0]


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorProfile, Path]:
    folder = tmp_path_factory.mktemp("layer")
    geometry = [*points(COUNT - 2), None, shapely.Point()]
    table = table_of(
        geometry,
        number=list(range(COUNT)),
        name=pa.array([None if i % 7 == 0 else f"n{i}" for i in range(COUNT)]),
        seen=pa.array(np.arange(COUNT), pa.timestamp("ms")),
        share=np.linspace(0, 1, COUNT),
    )
    path = write_layer(folder / "points.gpkg", table, driver="GPKG")
    return stage("vector", path, folder), folder / "staged/data.parquet"


@pytest.mark.parametrize("jobs", [1, 2])
def test_passes_for_what_ingest_wrote(layer: tuple[VectorProfile, Path], jobs: int) -> None:
    profile, path = layer
    result, violations = judged(StagedVector(path, profile, "v"), jobs)
    assert (result.status, result.checked, len(violations)) == (Status.PASSED, COUNT, 0)
    assert result.message == "40000 features, geometry and 4 columns are as they were read"


def swapped(name: str) -> Callable[[pa.Table], pa.Table]:
    """Two neighbours exchange their values of a column."""

    def change(table: pa.Table) -> pa.Table:
        order = np.arange(len(table))
        order[[20_000, 20_001]] = order[[20_001, 20_000]]
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name), table[name].take(pa.array(order)))

    return change


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("number", "column number: staged values are not those that were read"),
        ("name", "column name: staged values are not those that were read"),
        ("seen", "column seen: staged values are not those that were read"),
        ("share", "column share: staged values are not those that were read"),
        ("geom", "geometry column geom: staged values are not those that were read"),
        ("bbox", "column bbox: staged values are not those that were read"),
    ],
)
def test_names_the_column_that_differs(
    layer: tuple[VectorProfile, Path], tmp_path: Path, column: str, said: str
) -> None:
    profile, path = layer
    table = swapped(column)(pq.read_table(path))
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=16384)
    result, violations = judged(StagedVector(tmp_path / "data.parquet", profile, "v"))
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == [said]
    assert result.message == said


def test_one_changed_value_among_all_is_seen(
    layer: tuple[VectorProfile, Path], tmp_path: Path
) -> None:
    profile, path = layer
    table = pq.read_table(path)
    numbers = table["number"].to_numpy().copy()
    numbers[-1] += 1
    place = table.schema.get_field_index("number")
    pq.write_table(table.set_column(place, "number", pa.array(numbers)), tmp_path / "f.parquet")
    result, violations = judged(StagedVector(tmp_path / "f.parquet", profile, "v"))
    assert violations.reasons.tolist() == [
        "column number: staged values are not those that were read"
    ]
    assert result.violations == 1


def test_renumbered_rows_are_told_apart_from_changed_values(
    layer: tuple[VectorProfile, Path], tmp_path: Path
) -> None:
    profile, path = layer
    table = pq.read_table(path)
    place = table.schema.get_field_index("__row")
    numbers = table["__row"].to_numpy() + 1
    pq.write_table(table.set_column(place, "__row", pa.array(numbers)), tmp_path / "f.parquet")
    _, violations = judged(StagedVector(tmp_path / "f.parquet", profile, "v"))
    assert violations.reasons.tolist() == [
        "the numbers of the source rows are not those that were read"
    ]


def test_lost_rows_are_counted(layer: tuple[VectorProfile, Path], tmp_path: Path) -> None:
    profile, path = layer
    pq.write_table(pq.read_table(path).slice(1), tmp_path / "f.parquet")
    result, _ = judged(StagedVector(tmp_path / "f.parquet", profile, "v"))
    assert result.status is Status.FAILED
    assert result.message == "40000 features were read, 39999 are staged"


def test_a_column_that_cannot_be_read_is_named(
    layer: tuple[VectorProfile, Path], tmp_path: Path
) -> None:
    profile, path = layer
    metadata = pq.read_metadata(path)
    group = metadata.row_group(1)
    chunk = next(
        c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "share"
    )
    damaged = bytearray(path.read_bytes())
    begin = chunk.data_page_offset
    damaged[begin : begin + 64] = bytes(64)
    (tmp_path / "f.parquet").write_bytes(damaged)
    result, _ = judged(StagedVector(tmp_path / "f.parquet", profile, "v"))
    assert result.status is Status.ERROR
    assert result.message.startswith("row group 1, column share cannot be read: ")


def test_a_damaged_column_is_no_reason_for_rules_about_others_to_fail(
    layer: tuple[VectorProfile, Path], tmp_path: Path
) -> None:
    profile, path = layer
    group = pq.read_metadata(path).row_group(2)
    chunk = next(
        c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "name"
    )
    damaged = bytearray(path.read_bytes())
    damaged[chunk.data_page_offset : chunk.data_page_offset + 64] = bytes(64)
    (tmp_path / "f.parquet").write_bytes(damaged)
    data = StagedVector(tmp_path / "f.parquet", profile, "v")
    rules = [StagedMatchesSource(), NotNull(columns=("number",))]
    proof, other = (r for r, _ in asyncio.run(evaluate(rules, data, plan=Plan(jobs=2))))
    assert proof.message.startswith("row group 2, column name cannot be read: ")
    assert (other.status, other.checked) == (Status.PASSED, COUNT)


def test_columns_that_a_rule_has_asked_for_are_not_read_again(
    layer: tuple[VectorProfile, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, path = layer
    data, asked = StagedVector(path, profile, "v"), []
    taken = data.take

    def take(positions: Any, columns: Any, **how: Any) -> Any:
        asked.append((tuple(columns), how.get("geometry", True)))
        return taken(positions, columns, **how)

    monkeypatch.setattr(data, "take", take)
    rules = [StagedMatchesSource(), NotNull(columns=("number",))]
    asyncio.run(evaluate(rules, data, plan=Plan(jobs=1, piece_size=COUNT)))
    names = [("name",), ("seen",), ("share",)]
    assert sorted(asked) == sorted((n, False) for n in names for _ in range(data.batch_count()))


@pytest.mark.parametrize("piece", [None, 1000, 7777])
def test_any_cut_proves_the_same(layer: tuple[VectorProfile, Path], piece: int | None) -> None:
    profile, path = layer
    data = StagedVector(path, profile, "v")
    plan = Plan(jobs=2, piece_size=piece)
    ((result, _),) = asyncio.run(evaluate([StagedMatchesSource()], data, plan=plan))
    assert (result.status, result.checked) == (Status.PASSED, COUNT)


def test_rows_that_ingest_did_not_count_are_told(
    layer: tuple[VectorProfile, Path], tmp_path: Path
) -> None:
    profile, path = layer
    table = pq.read_table(path)
    more = pa.concat_tables([table, table.slice(0, 3)])
    pq.write_table(more, tmp_path / "f.parquet", row_group_size=16384)
    result, _ = judged(StagedVector(tmp_path / "f.parquet", profile, "v"))
    assert result.status is Status.FAILED
    assert result.message == "40000 features were read, 40003 are staged"


def test_a_version_without_checksums_must_be_staged_again(
    layer: tuple[VectorProfile, Path],
) -> None:
    profile, path = layer
    old = VectorProfile.from_json({k: v for k, v in profile.to_json().items() if k != "checksums"})
    result, _ = judged(StagedVector(path, old, "v"))
    assert result.status is Status.ERROR
    assert result.message.endswith("took no checksums: stage it again")


@pytest.mark.parametrize("count", [0, 1])
def test_few_rows(tmp_path: Path, count: int) -> None:
    table = table_of(list(points(count)), a=pa.array(["x"] * count, pa.string()))
    path = write_layer(tmp_path / "points.gpkg", table, driver="GPKG")
    profile = stage("vector", path, tmp_path)
    result, _ = judged(StagedVector(tmp_path / "staged/data.parquet", profile, "v"))
    assert (result.status, result.checked) == (Status.PASSED, count)


def test_a_condition_leaves_rows_out_on_both_sides(tmp_path: Path) -> None:
    table = table_of(list(points(50)), a=list(range(50)))
    path = write_layer(tmp_path / "points.gpkg", table, driver="GPKG")
    profile = stage("vector", path, tmp_path, where="a % 3 = 0")
    result, _ = judged(StagedVector(tmp_path / "staged/data.parquet", profile, "v"))
    assert (result.status, result.checked) == (Status.PASSED, 17)


def raster(folder: Path, **how: Any) -> tuple[Any, Path]:
    path = write_raster(folder / "r.tif", ramp(2, 700, 1100), **how)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(origin="survey")
    return stage("raster", path, folder), folder / "staged/data.tif"


@pytest.mark.parametrize("masked", [False, True])
def test_passes_for_the_raster_that_ingest_wrote(tmp_path: Path, masked: bool) -> None:
    mask = np.arange(700 * 1100).reshape(700, 1100) % 5 > 0 if masked else None
    profile, path = raster(tmp_path, mask=mask)
    result, violations = judged(StagedRaster(path, profile, "v"), 2)
    assert (result.status, result.checked, len(violations)) == (Status.PASSED, 770_000, 0)
    assert result.message == "770000 pixels of 2 bands, masks and tags are as they were read"


def test_names_the_band_and_the_place_of_a_changed_pixel(tmp_path: Path) -> None:
    profile, path = raster(tmp_path)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        values = dataset.read(2)
        values[600, 1050] += 1
        dataset.write(values, 2)
    result, violations = judged(StagedRaster(path, profile, "v"))
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == [
        "band 2: staged pixels or mask are not those that were read"
    ]
    cell = shapely.box(
        500000 + 10 * 1024, 6000000 - 10 * 700, 500000 + 10 * 1100, 6000000 - 10 * 512
    )
    assert violations.geometry[0].equals(cell)


def test_sees_a_mask_that_changed(tmp_path: Path) -> None:
    mask = np.ones((700, 1100), dtype=bool)
    profile, path = raster(tmp_path, mask=mask)
    mask[3, 4] = False
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write_mask(mask)
    result, violations = judged(StagedRaster(path, profile, "v"))
    assert result.status is Status.FAILED
    assert len(violations) == 2


def test_sees_a_tag_that_changed(tmp_path: Path) -> None:
    profile, path = raster(tmp_path)
    changed = replace(profile, tags={**profile.tags, "origin": "hearsay"})
    result, violations = judged(StagedRaster(path, changed, "v"))
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["tag origin: staged is 'survey', read was 'hearsay'"]
    told = replace(changed, notes=("tag /origin of the dataset not carried over",))
    result, violations = judged(StagedRaster(path, told, "v"))
    assert result.status is Status.PASSED
    assert "not carried over" in result.message


def test_a_raster_without_checksums_must_be_staged_again(tmp_path: Path) -> None:
    profile, path = raster(tmp_path)
    result, _ = judged(StagedRaster(path, replace(profile, checksums=None), "v"))
    assert result.status is Status.ERROR
    assert "stage it again" in result.message


def test_takes_no_condition() -> None:
    with pytest.raises(ValueError, match="the whole version is compared"):
        StagedMatchesSource(where="a > 1")

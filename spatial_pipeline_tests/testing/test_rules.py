"""Contract rules as assertions, on every kind of data."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from spatial_pipeline.errors import ContractError
from spatial_pipeline.testing.rules import check_rules, check_rules_async
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]

UNIQUE = {"rule": "unique", "columns": ["id"]}
CRS = {"rule": "crs", "equals": "EPSG:32633"}


def frame(*ids: int) -> geopandas.GeoDataFrame:
    shapes = shapely.box(np.arange(len(ids)), 0, np.arange(len(ids)) + 1, 1)
    return geopandas.GeoDataFrame({"id": list(ids)}, geometry=shapes, crs="EPSG:32633")


def test_a_frame_that_holds_and_one_that_does_not() -> None:
    check_rules(frame(1, 2), ["valid_geometry", UNIQUE, CRS])
    with pytest.raises(AssertionError) as caught:
        check_rules(frame(1, 7, 7), ["valid_geometry", UNIQUE], key=["id"])
    said = str(caught.value)
    assert said.splitlines()[0].startswith("unique: failed: ")
    assert "[7" in said
    assert "valid_geometry" not in said


def test_a_warning_is_no_failure_and_a_wrong_rule_is() -> None:
    check_rules(frame(7, 7), [{**UNIQUE, "severity": "warn"}])
    with pytest.raises(ContractError, match="unknown rule 'no_such_rule'"):
        check_rules(frame(1), ["no_such_rule"])


def test_a_layer_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "two.gpkg"
    frame(1, 2).to_file(file, layer="good")
    frame(3, 3).to_file(file, layer="bad")
    check_rules(file, [UNIQUE], layer="good")
    with pytest.raises(AssertionError, match="unique: failed"):
        check_rules(str(file), [UNIQUE], layer="bad")
    with pytest.raises(AssertionError, match="readable"):
        check_rules(tmp_path / "missing.gpkg", ["not_empty"])


def test_a_raster(tmp_path: Path) -> None:
    file = tmp_path / "dem.tif"
    with rasterio.open(
        file, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs="EPSG:32633",
        transform=(1, 0, 0, 0, -1, 4),
    ) as target:  # fmt: skip
        target.write(np.ones((1, 4, 4), dtype="uint8"))
    check_rules(file, [CRS, {"rule": "band_count", "equals": 1}])
    with pytest.raises(AssertionError, match="band_count: failed"):
        check_rules(file, [{"rule": "band_count", "equals": 2}])


def test_a_table_of_a_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    point = "ST_SetSRID(ST_MakePoint(i, i), 32633)::geometry(Point, 32633) AS geom"
    database.sql(
        'CREATE SCHEMA "Odd ""one"""',
        f'CREATE TABLE "Odd ""one"""."data.tif" AS SELECT i AS id, {point}'
        " FROM generate_series(1, 9) i",
        f"CREATE VIEW public.twice AS SELECT i % 8 AS id, {point} FROM generate_series(1, 9) i",
    )
    check_rules(database.uri, [UNIQUE, CRS, "not_empty"], layer='"Odd ""one"""."data.tif"')
    with pytest.raises(AssertionError) as caught:
        check_rules(database.uri, [UNIQUE], key=["id"], layer="public.twice")
    assert "unique: failed" in str(caught.value)
    assert database.cluster.password not in str(caught.value)
    monkeypatch.setenv("SPATIAL_DATABASE_URL", database.uri)
    check_rules("postgresql:", [{"rule": "feature_count", "min": 9, "max": 9}], layer="twice")
    check_rules("postgresql:?table=public.twice", [CRS])
    with pytest.raises(AssertionError, match=r"no table or view 'public\.none'"):
        check_rules("postgresql:", [UNIQUE], layer="public.none")


@pytest.mark.spatial_async(block=5)
async def test_a_table_under_a_running_loop(database: Database) -> None:
    rows = [{"rule": "feature_count", "min": 1}]
    query = "postgresql:?table=public.spatial_ref_sys".replace("postgresql:", database.uri)
    await check_rules_async(query, rows)
    with pytest.raises(AssertionError, match="feature_count: failed"):
        await check_rules_async(query, [{"rule": "feature_count", "max": 1}])

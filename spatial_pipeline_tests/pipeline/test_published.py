"""What readers of published data get."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import rasterio
from affine import Affine

import spatial_pipeline
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.errors import NotCurrentError, NotPublishedError, StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.published import published, read
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project

FAR = [[10, 10], [0, 0], [5, 5], [1, 1]]


def deliver(project: Project, points: list[Any], *, publish: bool = True) -> str:
    pipeline, contract = project.pipeline, project.contract
    project.supply(points)
    version = pipeline.stage(contract)
    asyncio.run(pipeline.audit(contract, version))
    if publish:
        pipeline.publish(contract, version)
    return version.id


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    return Project(tmp_path)


def test_features_come_in_the_order_of_the_source_and_without_helper_columns(
    project: Project,
) -> None:
    version = deliver(project, FAR)
    frame = spatial_pipeline.read("points")
    assert isinstance(frame, geopandas.GeoDataFrame)
    assert list(frame.columns) == ["id", "geometry"]
    assert frame.id.tolist() == [0, 1, 2, 3]
    assert [[p.x, p.y] for p in frame.geometry] == FAR
    assert frame.crs.to_epsg() == 4326
    found = spatial_pipeline.published("points")
    assert (found.version.id, found.path.suffix) == (version, ".parquet")
    assert found.verdict is not None
    assert found.verdict.passed
    assert timedelta(0) <= found.age < timedelta(minutes=5)
    table = found.arrow()
    assert table.column_names == ["id", "geometry"]
    assert table["id"].to_pylist() == [0, 1, 2, 3]
    assert geopandas.GeoDataFrame.from_arrow(table).equals(frame)
    with duckdb.connect() as connection:
        relation = found.duckdb(connection)
        assert relation.columns == ["id", "geometry"]
        assert relation.project("id").fetchall() == [(0,), (1,), (2,), (3,)]


def test_columns_and_an_extent(project: Project) -> None:
    deliver(project, FAR)
    found = published("points")
    assert found.geodataframe(bbox=(0.5, 0.5, 6, 6)).id.tolist() == [2, 3]
    assert found.geodataframe(columns=[]).columns.tolist() == ["geometry"]
    with pytest.raises(StoreError, match=r"no column 'idd'.*did you mean 'id'"):
        found.geodataframe(columns=["idd"])
    with pytest.raises(StoreError, match="vector data: use geodataframe"):
        found.raster()


def test_a_table_without_geometry(tmp_path: Path) -> None:
    pd.DataFrame({"id": [3, 1], "name": ["a", None]}).to_csv(tmp_path / "t.csv", index=False)
    contract = VectorContract.model_validate(
        {
            "name": "t",
            "source": {"uri": str(tmp_path / "t.csv")},
            "rules": [{"rule": "not_null", "columns": ["id"]}],
        }
    )
    pipeline = Pipeline.of([contract], Settings(store=tmp_path / "store"))
    version = pipeline.stage(contract)
    asyncio.run(pipeline.audit(contract, version))
    pipeline.publish(contract, version)
    frame = read("t", store=tmp_path / "store")
    assert type(frame) is pd.DataFrame
    assert frame.id.tolist() == [3, 1]
    assert isinstance(published("t", store=tmp_path / "store").arrow(), pa.Table)


def test_a_raster(tmp_path: Path) -> None:
    values = np.arange(64, dtype="uint8").reshape(8, 8)
    profile = {"width": 8, "height": 8, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open(
        tmp_path / "r.tif", "w", driver="GTiff", transform=Affine(1, 0, 0, 0, -1, 8), **profile
    ) as file:
        file.write(values, 1)
    contract = RasterContract.model_validate(
        {
            "name": "r",
            "source": {"uri": str(tmp_path / "r.tif")},
            "rules": [{"rule": "band_count", "equals": 1}],
        }
    )
    pipeline = Pipeline.of([contract], Settings(store=tmp_path / "store"))
    version = pipeline.stage(contract)
    asyncio.run(pipeline.audit(contract, version))
    pipeline.publish(contract, version)
    with read("r", store=tmp_path / "store") as raster:
        assert (raster.read(1) == values).all()
    with pytest.raises(StoreError, match="is a raster: use raster"):
        published("r", store=tmp_path / "store").arrow()


def test_current_refuses_a_newer_delivery(project: Project) -> None:
    good = deliver(project, GOOD)
    assert published("points", require="current").version.id == good
    bad = deliver(project, BAD, publish=False)
    assert published("points").version.id == good
    with pytest.raises(NotCurrentError, match=rf"points is held: not_empty: .*@{good}"):
        published("points", require="current")
    with pytest.raises(NotCurrentError, match="held"):
        read("points", require="current")
    project.supply(FAR)
    version = project.pipeline.stage(project.contract)
    with pytest.raises(NotCurrentError, match="is not checked yet"):
        published("points", require="current")
    asyncio.run(project.pipeline.audit(project.contract, version))
    with pytest.raises(NotCurrentError, match="passed and is not published yet"):
        published("points", require="current")
    assert bad not in (good, version.id)
    with pytest.raises(ValueError, match="'last' or 'current', not 'newest'"):
        published("points", require="newest")  # type: ignore[arg-type]


def test_what_is_not_published(project: Project) -> None:
    deliver(project, GOOD, publish=False)
    with pytest.raises(NotPublishedError, match="points has no published version in"):
        read("points")
    with pytest.raises(NotPublishedError, match="did you mean 'points'"):
        read("pionts")


def test_partitions_are_named(tmp_path: Path) -> None:
    project = Project(tmp_path, partitions={"static": ["north", "south"]},
                      source={"uri": str(tmp_path / "points-{partition}.geojson")})  # fmt: skip
    pipeline, contract = project.pipeline, project.contract
    project.supply(GOOD, "points-north")
    version = pipeline.stage(contract, "north")
    asyncio.run(pipeline.audit(contract, version))
    pipeline.publish(contract, version)
    store = tmp_path / "store"
    assert len(read("points", partition="north", store=store)) == 3
    with pytest.raises(NotPublishedError, match=r"is partitioned: .* 1 partitions, as 'north'"):
        read("points", store=store)
    with pytest.raises(NotPublishedError, match=r"points\[nort\] is not published.*'north'"):
        read("points", partition="nort", store=store)


def test_reading_loads_no_dagster(project: Project) -> None:
    deliver(project, GOOD)
    program = (
        "import sys, spatial_pipeline\n"
        "assert len(spatial_pipeline.read('points')) == 3\n"
        "assert 'dagster' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)

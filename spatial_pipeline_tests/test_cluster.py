"""Whatever machines look at the pieces, and whatever happens to them, the answers are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio import Affine

from spatial_pipeline.cluster import _Pieces
from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.results import Status
from spatial_pipeline.run import Audit, Pipeline
from spatial_pipeline.store.versions import Store
from spatial_pipeline.versions import Version
from spatial_pipeline_tests.machines import Machines, machines

SIDE = 30
PIECE = 50
RULES: list[dict[str, Any]] = [
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 5},
    {"rule": "valid_geometry"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_overlap", "name": "of_odd_ones", "where": "odd = 1"},
    {"rule": "must_not_have_gaps", "max_area": 50.0},
    {"rule": "must_not_have_dangles", "max_violations": 1},
]


def sheet() -> geopandas.GeoDataFrame:
    """Squares with overlaps, a gap, a bow tie, a duplicate and a null."""
    x, y = (v.ravel().astype(float) for v in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    number = np.arange(len(x))
    shapes = shapely.box(x, y, x + 1 + np.where(number % 97 == 0, 0.1, 0.0), y + 1)
    shapes[200] = shapely.Polygon([(20, 6), (21, 7), (21, 6), (20, 7)])
    shapes[301], shapes[444], shapes[611] = shapes[300], None, shapely.box(11, 20, 11.5, 21)
    return geopandas.GeoDataFrame(
        {"id": np.where(number == 800, 799, number), "odd": number % 2},
        geometry=shapes,
        crs="EPSG:32633",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    sheet().to_parquet(folder / "sheet.parquet", index=False)
    cover = [shapely.box(-1, -1, 14.5, 31), shapely.box(14.5, -1, 31, 28.75)]
    there = geopandas.GeoDataFrame({"n": [0, 1]}, geometry=cover, crs="EPSG:32633")
    there.to_file(folder / "cover.gpkg")
    there.to_crs("EPSG:4326").to_file(folder / "cover4326.gpkg")
    values = np.arange(700 * 600, dtype="uint16").reshape(1, 700, 600) % 4000
    values[0, 300:340, 200:260] = 0
    profile = {"driver": "GTiff", "count": 1, "height": 700, "width": 600, "dtype": "uint16",
               "crs": "EPSG:32633", "nodata": 0, "tiled": True,
               "blockxsize": 128, "blockysize": 128}  # fmt: skip
    for name, west in (("first", 500_000), ("second", 500_005)):
        where = folder / f"{name}.tif"
        with rasterio.open(
            where, "w", **profile, transform=Affine(10, 0, west, 0, -10, 5e6)
        ) as out:
            out.write(values)
    return folder


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Machines]:
    with machines(folder / "machines") as running:
        yield running


def vector(folder: Path, extra: list[dict[str, Any]] | None = None) -> VectorContract:
    covered = [
        {"rule": "must_be_covered_by", "name": n, "other": {"uri": str(folder / f"{n}.gpkg")}}
        for n in ("cover", "cover4326")
    ]
    return VectorContract.model_validate(
        {
            "name": "sheet",
            "source": {"uri": str(folder / "sheet.parquet")},
            "key": ["id"],
            "rules": [*RULES, *covered, *(extra or [])],
        }
    )


def raster(folder: Path) -> RasterContract:
    other = {"uri": str(folder / "second.tif")}
    return RasterContract.model_validate(
        {
            "name": "grid",
            "source": {"uri": str(folder / "first.tif")},
            "rules": [
                {"rule": "readable_pixels"},
                {"rule": "pixel_range", "min": 1, "max": 3990},
                {"rule": "nodata_fraction", "max": 0.001},
                {"rule": "same_pixels_as", "other": other, "resample": "bilinear"},
                {"rule": "round_trips", "format": "GTiff"},
            ],
        }
    )


def prepared(folder: Path, contract: Contract) -> tuple[Pipeline, Version]:
    pipeline = Pipeline({contract.name: contract}, Store(folder / "store"), jobs=2)
    return pipeline, pipeline.stage(contract)


def told(pipeline: Pipeline, version: Version, audit: Audit) -> tuple[list[Any], bytes]:
    """Everything that a check says, without how long it took and where a round trip went."""
    results = [replace(r, elapsed_s=0.0, against={}) for r in audit.results]
    return results, (pipeline.store.path(version) / "violations.parquet").read_bytes()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 50 features."""
    monkeypatch.setattr("spatial_pipeline.check.room.PIECE", PIECE)
    monkeypatch.setattr("spatial_pipeline.store.staged.WINDOW_PIXELS", 1 << 16)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pieces that were looked at elsewhere."""
    asked: list[int] = []
    answers = _Pieces.answers

    async def counted(self: _Pieces, index: int, *arguments: Any) -> Any:
        answer = await answers(self, index, *arguments)
        asked.append(index)
        return answer

    monkeypatch.setattr(_Pieces, "answers", counted)
    return asked


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_same_answers_for_any_number_of_workers(
    folder: Path, cluster: Machines, workers: int, asked: list[int]
) -> None:
    cluster.dismiss()
    cluster.hire(workers)
    for contract, pieces in ((vector(folder), SIDE * SIDE // PIECE), (raster(folder), 4)):
        pipeline, version = prepared(folder, contract)
        here = told(pipeline, version, asyncio.run(pipeline.audit(contract, version)))
        assert {r.status for r in here[0]} == {Status.PASSED, Status.FAILED}
        elsewhere = replace(pipeline, dask_scheduler=cluster.address)
        assert told(pipeline, version, asyncio.run(elsewhere.audit(contract, version))) == here
        assert sorted(asked) == list(range(pieces))
        asked.clear()

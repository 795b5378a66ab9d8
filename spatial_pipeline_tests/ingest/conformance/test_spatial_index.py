"""Indexes that real files carry, whole and after one edit."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline_tests.ingest.sources import staged_vector

SHAPES = [shapely.box(i, 0, i + 1, 1) for i in range(4)]


def frame(shapes: list[shapely.Geometry | None] = SHAPES) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame({"a": range(len(shapes))}, geometry=shapes, crs="EPSG:32633")


def found(path: Path, **source: str) -> dict[str, str] | None:
    """Code → reason of the findings; None when no index is looked for."""
    profile, _ = staged_vector(path, path.parent / f"staged-{len(list(path.parent.iterdir()))}",
                               **source)  # fmt: skip
    assert profile.error is None
    assert VectorProfile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
    evidence = profile.spatial_index
    return None if evidence is None else {f.code: f.reason for f in evidence.findings}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    frame().to_file(tmp_path / "a.gpkg", layer="roads")
    return tmp_path / "a.gpkg"


def changed(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as database:
        for name in ("insert", "update6", "update7", "update2", "update4", "delete", "update1",
                     "update3", "update5"):  # fmt: skip
            database.execute(f'DROP TRIGGER IF EXISTS "rtree_roads_geom_{name}"')
        for statement in statements:
            database.execute(statement)
        database.commit()
    return path


def test_a_whole_index_of_each_format(tmp_path: Path, package: Path) -> None:
    assert found(package) == {}
    assert found(package, where="a > 1") == {}
    frame([None, shapely.Point(), *SHAPES]).to_file(tmp_path / "b.gpkg")
    assert found(tmp_path / "b.gpkg") == {}
    frame().to_file(tmp_path / "a.fgb", driver="FlatGeobuf")
    assert found(tmp_path / "a.fgb") == {}
    frame().to_file(tmp_path / "a.shp")
    assert found(tmp_path / "a.shp") == {}
    frame([None, *SHAPES]).to_parquet(tmp_path / "a.parquet", write_covering_bbox=True)
    assert found(tmp_path / "a.parquet") == {}
    frame().to_file(tmp_path / "a.geojson", driver="GeoJSON")
    assert found(tmp_path / "a.geojson") is None


def test_a_geopackage_without_or_with_a_stale_index(package: Path) -> None:
    moved = shapely.to_wkb(shapely.box(90, 90, 91, 91)).hex()
    head = "47500001797f0000"
    changed(package, f"UPDATE roads SET geom = x'{head}{moved}' WHERE fid = 2")
    assert found(package) == {"true": "1 features lie outside of their boxes in rtree_roads_geom"}
    changed(package, "DELETE FROM rtree_roads_geom WHERE id = 2")
    assert found(package) == {"whole": "1 features are not in rtree_roads_geom"}
    changed(package, "DELETE FROM roads WHERE fid = 3", "DELETE FROM roads WHERE fid = 2")
    assert found(package) == {
        "whole": "1 entries of rtree_roads_geom have no feature with a geometry"
    }
    changed(package, "DROP TABLE rtree_roads_geom")
    assert found(package) == {"present": "roads.geom has no R-tree"}


def test_a_flatgeobuf_without_an_index(tmp_path: Path) -> None:
    frame().to_file(tmp_path / "a.fgb", driver="FlatGeobuf", SPATIAL_INDEX="NO")
    assert found(tmp_path / "a.fgb") == {"present": "index_node_size is 0: there is no index"}


def test_a_geoparquet_without_a_covering(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    assert found(tmp_path / "a.parquet") == {"present": "geometry has no covering bbox"}


def test_a_geoparquet_whose_covering_is_not_true(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame().to_parquet(path, write_covering_bbox=True)
    table = pq.read_table(path)
    boxes = table.column("bbox").to_pylist()
    boxes[1]["xmax"] -= 0.5
    boxes[2] = dict.fromkeys(boxes[2])
    place = table.column_names.index("bbox")
    column = pa.array(boxes, table.schema.field("bbox").type)
    pq.write_table(table.set_column(place, table.schema.field("bbox"), column), path)
    assert found(path) == {
        "true": "1 features lie outside of their boxes in the covering",
        "whole": "1 features have no box in the covering",
    }


def test_sidecars_of_a_shapefile(tmp_path: Path) -> None:
    path = tmp_path / "a.shp"
    frame().to_file(path)
    (tmp_path / "a.prj").unlink()
    (tmp_path / "a.sbn").write_bytes(b"")
    (tmp_path / "a.qix").write_bytes(
        b"SQT\x01\x01\0\0\0" + (3).to_bytes(4, "little") + b"\x01\0\0\0"
    )
    assert found(path) == {
        "present": "there is no .prj file with the CRS",
        "whole": "there is a .sbn file without its .sbx file",
        "true": "the .qix file is of 3 shapes, there are 4",
    }


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.none() | st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(shapely.Point),
        min_size=1, max_size=12,
    ),
    st.data(),
)  # fmt: skip
def test_exactly_the_features_that_moved_are_found(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: list[shapely.Point | None],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("moved") / "a.gpkg"
    frame(shapes).to_file(path, layer="roads", geometry_type="Point")
    there = [i for i, s in enumerate(shapes) if s is not None]
    moved = data.draw(st.sets(st.sampled_from(there)) if there else st.just(set()))
    head = "47500001797f0000"
    far = shapely.to_wkb(shapely.Point(5e3, 5e3)).hex()
    changed(path, *(f"UPDATE roads SET geom = x'{head}{far}' WHERE fid = {i + 1}" for i in moved))
    expected = {"true": f"{len(moved)} features lie outside of their boxes in rtree_roads_geom"}
    assert found(path) == (expected if moved else {})

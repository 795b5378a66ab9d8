"""GeoParquet, good and deliberately broken."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from spatial_pipeline_tests.ingest.sources import (
    cut,
    geometries,
    overwrite,
    staged_vector,
    table_of,
)

SHAPES = [shapely.box(i, 0, i + 1, 1) for i in range(5)]


def write(folder: Path, geo: Any = None, table: pa.Table | None = None, **column: Any) -> Path:
    """A file with the metadata of a good one, unless ``geo`` or members of the column are given."""
    table = table_of(SHAPES, id=list(range(len(SHAPES)))) if table is None else table
    if geo is None:
        geo = {
            "version": "1.1.0",
            "primary_column": "geometry",
            "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], **column}},
        }
    text = geo if isinstance(geo, str | bytes) else json.dumps(geo)
    pq.write_table(table.replace_schema_metadata({"geo": text}), folder / "a.parquet")
    return folder / "a.parquet"


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
@pytest.mark.parametrize("covering", [False, True])
def test_what_geopandas_writes(tmp_path: Path, encoding: str, covering: bool) -> None:
    frame = geopandas.GeoDataFrame({"id": range(5)}, geometry=SHAPES, crs="EPSG:32633")
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, geometry_encoding=encoding, write_covering_bbox=covering, index=False)
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert geometries(profile, table) == SHAPES
    assert profile.pyproj_crs == pyproj.CRS(32633)
    assert profile.geometry_type == "Polygon"
    assert profile.declared_bounds == (0, 0, 5, 1)
    assert [c.name for c in profile.columns] == ["id"]
    assert any("covering" in n for n in profile.notes) == covering
    assert profile.bbox_column == "bbox"


def test_our_own_file_is_a_source(tmp_path: Path) -> None:
    staged_vector(write(tmp_path), tmp_path / "s")
    profile, table = staged_vector(tmp_path / "s/staged/data.parquet", tmp_path / "t")
    assert [c.name for c in profile.columns] == ["id", "__row"]
    assert profile.row_column == "__row_1"
    assert table["__row"].to_pylist() == list(range(5))


def test_a_missing_crs_is_crs84_and_null_is_unknown(tmp_path: Path) -> None:
    profile, _ = staged_vector(write(tmp_path), tmp_path / "a")
    assert profile.pyproj_crs == pyproj.CRS("OGC:CRS84")
    profile, _ = staged_vector(write(tmp_path, crs=None), tmp_path / "b")
    assert profile.crs is None
    assert profile.error is None
    profile, _ = staged_vector(write(tmp_path, crs={"type": "Nonsense"}), tmp_path / "c")
    assert profile.crs is None
    note = 'the CRS in the geo metadata is not understood: \'{"type": "Nonsense"}\''
    assert note in profile.notes


def test_several_geometry_columns(tmp_path: Path) -> None:
    table = table_of(SHAPES, other=shapely.to_wkb(shapely.points([(0, 0)] * 5)).tolist())
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {n: {"encoding": "WKB", "geometry_types": []} for n in ("geometry", "other")},
    }
    profile, _ = staged_vector(write(tmp_path, geo, table), tmp_path / "s")
    assert profile.notes == ("several geometry columns: other staged as attributes",)
    assert [(c.name, c.type) for c in profile.columns] == [("other", "binary")]


def test_declarations(tmp_path: Path) -> None:
    path = write(tmp_path, geometry_types=["Polygon"], bbox=[0, 0, -5, 9, 9, 5], edges="spherical")
    profile, _ = staged_vector(path, tmp_path / "s")
    assert profile.geometry_type == "Polygon"
    assert profile.declared_bounds == (0, 0, 9, 9)
    assert profile.bounds == (0, 0, 5, 1)
    assert profile.notes == ("edges are declared spherical, judged as planar",)


def test_columns_of_many_types(tmp_path: Path) -> None:
    columns = {
        "list": pa.array([[1, 2], None, [], [3], [4]]),
        "struct": pa.array([{"a": 1}] * 5),
        "words": pa.array(["a", "b", None, "a", "b"]).dictionary_encode(),
        "decimal": pa.array([None, *map(Decimal, "1234")], pa.decimal128(10, 2)),
        "large": pa.array(["x"] * 5, pa.large_string()),
        "map": pa.array([[("k", 1)]] * 5, pa.map_(pa.string(), pa.int64())),
        "ns": pa.array([1, 2, 3, 4, 5], pa.timestamp("ns", "Europe/Berlin")),
        "null": pa.nulls(5),
        "half": pa.array([1.5] * 5, pa.float16()),
    }
    profile, table = staged_vector(
        write(tmp_path, table=table_of(SHAPES, **columns)), tmp_path / "s"
    )
    assert profile.error is None
    for name, array in columns.items():
        assert table[name].to_pylist() == array.to_pylist()
    assert {c.name: c.type for c in profile.columns}["words"] == "string"


def test_columns_that_may_not_be_null_are_told(tmp_path: Path) -> None:
    table = table_of(SHAPES, id=list(range(5)))
    strict = pa.schema([table.schema.field("id").with_nullable(False), table.schema.field(1)])
    profile, _ = staged_vector(write(tmp_path, table=table.cast(strict)), tmp_path / "s")
    assert not profile.columns[0].nullable


def test_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(write(tmp_path), "in/a.parquet")
    profile, table = staged_vector(tmp_path / "a.zip", tmp_path / "s")
    assert profile.error is None
    assert geometries(profile, table) == SHAPES


def test_there_are_no_layers(tmp_path: Path) -> None:
    profile, _ = staged_vector(write(tmp_path), tmp_path / "s", layer="x")
    assert profile.error == "a.parquet: a Parquet file has no layers, so there is no layer 'x'"


GOOD = {"encoding": "WKB", "geometry_types": []}


@pytest.mark.parametrize(
    ("geo", "message"),
    [
        ("{not json", "its geo metadata is not GeoParquet"),
        (b"\xff\xfe", "its geo metadata is not GeoParquet"),
        ("[]", "its geo metadata is not GeoParquet"),
        ("null", "its geo metadata is not GeoParquet"),
        ({}, "its geo metadata is not GeoParquet"),
        ({"primary_column": "geometry"}, "its geo metadata is not GeoParquet"),
        ({"primary_column": "geometry", "columns": {}}, "its geo metadata is not GeoParquet"),
        ({"primary_column": "g", "columns": {"g": GOOD}}, "column 'g' that is not in the file"),
        ({"primary_column": "geometry", "columns": {"geometry": {}}}, "not GeoParquet"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": "TWKB"}}},
         "geometry encoding 'TWKB' is unknown"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": ["WKB"]}}}, "unknown"),
        ({"primary_column": "id", "columns": {"id": GOOD}}, "cannot be read"),
        ({"primary_column": "geometry", "columns": {"geometry": {"encoding": "polygon"}}},
         "is not encoded as polygon"),
        ({"primary_column": "geometry", "columns": "x"}, "not GeoParquet"),
    ],
)  # fmt: skip
def test_metadata_that_cannot_be_understood(tmp_path: Path, geo: Any, message: str) -> None:
    profile, table = staged_vector(write(tmp_path, geo), tmp_path / "s")
    assert message in str(profile.error)
    assert table.num_rows == 0


@pytest.mark.parametrize(
    "column",
    [
        {"bbox": "x"}, {"bbox": [1, 2]}, {"bbox": ["a", 1, 2, 3]}, {"geometry_types": "Polygon"},
        {"geometry_types": None}, {"covering": []}, {"covering": {"bbox": {"xmin": ["gone"]}}},
        {"edges": 5}, {"orientation": "x"}, {"epoch": "x"}, {"crs": 5}, {"crs": "EPSG:0"},
        {"geometry_types": [1, None]}, {"covering": {"bbox": {"xmin": ["id", "xmin"]}}},
    ],
)  # fmt: skip
def test_metadata_that_is_wrong_in_a_detail(tmp_path: Path, column: dict[str, Any]) -> None:
    profile, table = staged_vector(write(tmp_path, **column), tmp_path / "s")
    assert profile.error is None
    assert geometries(profile, table) == SHAPES


def test_geometry_that_is_text(tmp_path: Path) -> None:
    table = pa.table({"id": [1], "geometry": ["POINT (1 2)"]})
    profile, _ = staged_vector(write(tmp_path, table=table), tmp_path / "s")
    assert profile.undecodable == (0,) or profile.error is not None


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_one_that_was_cut(tmp_path: Path, fraction: float) -> None:
    profile, table = staged_vector(cut(write(tmp_path), fraction), tmp_path / "s")
    assert str(profile.error).startswith("a.parquet: ")
    assert table.num_rows == 0


def test_a_damaged_row_group_is_named(tmp_path: Path) -> None:
    table = table_of(SHAPES * 2000, id=list(range(10000)))
    path = write(tmp_path, table=table)
    pq.write_table(
        pq.read_table(path), path, compression="zstd", row_group_size=1000, use_dictionary=False
    )
    metadata = pq.read_metadata(path)
    column = metadata.row_group(6).column(1)
    at = column.data_page_offset + column.total_compressed_size // 2
    overwrite(path, at / path.stat().st_size, 50)
    profile, staged = staged_vector(path, tmp_path / "s")
    assert str(profile.error).startswith("a.parquet: row group 6 cannot be read: ")
    assert staged.num_rows == 0
    assert profile.count == 0
    assert profile.declared_count == 10000


def test_random_damage_is_never_a_traceback(tmp_path: Path) -> None:
    whole = write(tmp_path, table=table_of(SHAPES * 40, name=["abc", "d"] * 100)).read_bytes()
    for i in range(60):
        path = tmp_path / "a.parquet"
        path.write_bytes(whole)
        overwrite(path, i / 60, 3)
        staged_vector(path, tmp_path / f"s{i}")

"""Vector sources of every format, from the file to the staged one."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from spatial_pipeline.ingest import geoparquet_writer, layer_scan, sort_buffer
from spatial_pipeline.ingest.formats import gdal
from spatial_pipeline.store.staged import StagedVector
from spatial_pipeline_tests.ingest.sources import (
    geometries,
    points,
    stage,
    staged_vector,
    table_of,
    write_geojson,
    write_layer,
)

FORMATS = ["gpkg", "fgb", "geojson", "shp", "shp.zip", "parquet", "gdb", "sqlite", "gml"]
FILEGDB = {"driver": "OpenFileGDB", "TARGET_ARCGIS_VERSION": "ARCGIS_PRO_3_2_OR_LATER"}
POLYGONS = [shapely.box(i, i % 3, i + 1, i % 3 + 1) for i in range(40)]


def write(folder: Path, suffix: str, table: pa.Table, kind: str = "Polygon") -> Path:
    if suffix == "parquet":
        return write_parquet(folder / "a.parquet", table)
    how = {"fgb": {"SPATIAL_INDEX": "NO"}, "gdb": FILEGDB}.get(suffix, {})
    return write_layer(folder / f"a.{suffix}", table, kind, **how)


def write_parquet(path: Path, table: pa.Table, **column: Any) -> Path:
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Polygon"], **column}},
    }
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(tmp_path: Path, suffix: str) -> None:
    names = [None if i == 7 else f"name {i} ö" for i in range(40)]
    source = table_of(POLYGONS, id=list(range(40)), name=names, value=[i / 7 for i in range(40)])
    profile, table = staged_vector(write(tmp_path, suffix, source), tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == ()
    assert table["id"].to_pylist()[:40] == list(range(40))
    assert table["name"].to_pylist() == names
    assert table["value"].to_pylist() == pytest.approx([i / 7 for i in range(40)], rel=1e-14)
    assert table[profile.row_column].to_pylist() == list(range(40))
    found = geometries(profile, table)
    assert all(shapely.equals(found, POLYGONS))
    assert profile.bounds == (0, 0, 40, 3)
    assert profile.declared_count == (None if suffix == "gml" else 40)
    assert profile.pyproj_crs is not None
    assert profile.pyproj_crs.to_epsg() == 4326 or suffix == "parquet"


def test_bytes_of_geometries_do_not_change(tmp_path: Path) -> None:
    path = write(tmp_path, "gpkg", table_of(POLYGONS, id=list(range(40))))
    profile, table = staged_vector(path, tmp_path / "s")
    expected = shapely.to_wkb(POLYGONS, flavor="iso", byte_order=1).tolist()
    assert table[profile.geometry_column].to_pylist() == expected


def test_the_staged_file_is_geoparquet(tmp_path: Path) -> None:
    path = write(tmp_path, "gpkg", table_of(POLYGONS, id=list(range(40))))
    profile = stage("vector", path, tmp_path / "s")
    staged = tmp_path / "s/staged/data.parquet"
    schema = pq.read_schema(staged)
    geo = json.loads(schema.metadata[b"geo"])
    name = profile.geometry_column
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == name
    column = geo["columns"][name]
    assert column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"]
    assert pyproj.CRS.from_json_dict(column["crs"]) == pyproj.CRS(4326)
    assert column["bbox"] == [0, 0, 40, 3]
    assert column["covering"]["bbox"]["ymax"] == ["bbox", "ymax"]
    assert schema.field("bbox").type.field("xmin").type == pa.float64()
    assert pq.ParquetFile(staged).metadata.row_group(0).column(0).compression == "ZSTD"
    import geopandas

    frame = geopandas.read_parquet(staged, bbox=(10.2, 0, 10.3, 3))
    assert frame["id"].tolist() == [10]
    assert frame.crs == "EPSG:4326"


def test_the_store_reads_what_was_staged(tmp_path: Path) -> None:
    shapes = [*POLYGONS[:3], None, shapely.Polygon()]
    path = write(tmp_path, "gpkg", table_of(shapes, id=[0, 1, 2, 3, 4]))
    profile = stage("vector", path, tmp_path / "s")
    data = StagedVector(tmp_path / "s/staged/data.parquet", profile, "v")
    batch = data.batch(0, ["id"])
    assert batch.rows.tolist()[3:] == [3, 4]
    bounds = data.feature_bounds()
    assert bounds[:3].tolist() == [list(shapes[i].bounds) for i in batch.rows[:3]]
    assert np.isnan(bounds[3:]).all()


def test_attribute_types(tmp_path: Path) -> None:
    columns = {
        "b": pa.array([True, None, False]),
        "i16": pa.array([1, None, -3], pa.int16()),
        "i32": pa.array([1, None, -3], pa.int32()),
        "i64": pa.array([2**60, None, -3], pa.int64()),
        "f32": pa.array([1.5, None, -3], pa.float32()),
        "f64": pa.array([1.1, None, float("inf")]),
        "s": pa.array(["", None, "x" * 1000]),
        "bin": pa.array([b"\0\1", None, b""]),
        "d": pa.array([date(2020, 1, 2), None, date(1, 1, 1)]),
        "t": pa.array([datetime(2020, 1, 2, 3, 4, 5, 678000, UTC), None,
                       datetime(1900, 1, 1, tzinfo=UTC)], pa.timestamp("ms", "UTC")),
    }  # fmt: skip
    path = write(tmp_path, "gpkg", table_of(points(3), **columns), "Point")
    profile, table = staged_vector(path, tmp_path / "s")
    types = {c.name: c.type for c in profile.columns}
    for name, array in columns.items():
        assert types[name] == str(array.type), name
        assert table[name].to_pylist() == array.to_pylist(), name


def test_times_in_several_zones_keep_their_instant(tmp_path: Path) -> None:
    path = write_geojson(tmp_path / "a.geojson", [None, None])
    text = path.read_text().replace('"id": 0', '"id": 0, "t": "2020-01-01T12:00:00+05:00"')
    path.write_text(text.replace('"id": 1', '"id": 1, "t": "2020-01-01T12:00:00-03:00"'))
    profile, table = staged_vector(path, tmp_path / "s")
    assert {c.name: c.type for c in profile.columns}["t"] == "timestamp[ms, tz=UTC]"
    assert table["t"].to_pylist() == [
        datetime(2020, 1, 1, 7, tzinfo=UTC),
        datetime(2020, 1, 1, 15, tzinfo=UTC),
    ]


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "parquet"])
def test_hostile_names(tmp_path: Path, suffix: str) -> None:
    hostile = ['"; drop table data; --', "ö" * 150, "x" * 300, "a b\tc", "__row", "bbox", "'", "%s"]
    source = table_of(POLYGONS[:3], **{n: [1, 2, 3] for n in hostile})
    profile, table = staged_vector(write(tmp_path, suffix, source), tmp_path / "s")
    assert profile.error is None
    assert [c.name for c in profile.columns] == hostile
    assert profile.row_column == "__row_1"
    assert profile.bbox_column == "bbox_1"
    assert table.column_names[-2:] == ["__row_1", "bbox_1"]
    assert table[hostile[0]].to_pylist() == [1, 2, 3]
    data = StagedVector(tmp_path / "s/staged/data.parquet", profile, "v")
    assert len(data.batch(0, hostile).table.column_names) == len(hostile)


def test_hostile_layers(tmp_path: Path) -> None:
    names = ['"; drop table x; --', "ö" * 300, "'"]
    path = tmp_path / "a.gpkg"
    for i in range(len(names)):
        table = table_of(points(3))
        write_layer(path, table, "Point", layer=f"l{i}", append=path.exists(), SPATIAL_INDEX="NO")
    with contextlib.closing(sqlite3.connect(path)) as database:
        for i, name in enumerate(names):
            quoted = name.replace('"', '""')
            database.execute(f'ALTER TABLE l{i} RENAME TO "{quoted}"')
            for table in ("gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents"):
                change = f"UPDATE {table} SET table_name = ? WHERE table_name = ?"
                database.execute(change, (name, f"l{i}"))
        database.commit()
    for i, name in enumerate(names):
        profile, _ = staged_vector(path, tmp_path / f"s{i}", layer=name)
        assert profile.error is None
        assert profile.layer == name
        assert profile.count == 3


def test_a_layer_is_named_when_there_are_several(tmp_path: Path) -> None:
    for name in ("roads", "rivers"):
        write_layer(
            tmp_path / "a.gpkg", table_of(points(3)), "Point", layer=name,
            append=(tmp_path / "a.gpkg").exists(),
        )  # fmt: skip
    profile, table = staged_vector(tmp_path / "a.gpkg", tmp_path / "s")
    assert profile.error == "a.gpkg: 2 layers in it, name one of them as layer: roads, rivers"
    assert table.num_rows == 0
    profile, _ = staged_vector(tmp_path / "a.gpkg", tmp_path / "t", layer="road")
    assert (
        profile.error
        == "a.gpkg: no layer 'road' in it; it has roads, rivers; did you mean 'roads'?"
    )
    assert profile.layer == "road"


@pytest.mark.parametrize("size", [7, 16384])
def test_a_condition_keeps_the_numbers_of_the_rows(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdal, "BATCH_ROWS", size)
    path = write(tmp_path, "gpkg", table_of(POLYGONS, id=list(range(40))))
    profile, table = staged_vector(path, tmp_path / "s", where="id % 10 = 3")
    assert table["__row"].to_pylist() == [3, 13, 23, 33]
    assert table["id"].to_pylist() == [3, 13, 23, 33]
    assert profile.count == 4
    assert profile.declared_count == 40
    assert profile.bounds == (3, 0, 34, 3)


@pytest.mark.parametrize("n", [0, 3])
def test_a_condition_that_is_wrong(tmp_path: Path, n: int) -> None:
    path = write(tmp_path, "gpkg", table_of(POLYGONS[:n], id=pa.array(range(n), pa.int64())))
    profile, table = staged_vector(path, tmp_path / "s", where="nothing = 1")
    assert "where: " in str(profile.error)
    assert profile.count == table.num_rows == 0


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp", "fgb", "parquet"])
def test_no_features(tmp_path: Path, suffix: str) -> None:
    source = table_of([], id=pa.array([], pa.int64()))
    profile, table = staged_vector(write(tmp_path, suffix, source), tmp_path / "s")
    assert profile.error is None
    assert table.num_rows == 0
    assert profile.bounds is None
    assert profile.geometry_column in table.column_names or suffix == "geojson"


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
def test_no_columns(tmp_path: Path, suffix: str) -> None:
    profile, table = staged_vector(write(tmp_path, suffix, table_of(POLYGONS)), tmp_path / "s")
    assert profile.error is None
    assert profile.columns == ()
    assert table.column_names == [profile.geometry_column, "__row", "bbox"]
    assert table.num_rows == 40


def test_no_geometry(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [3, 1, 2]}), tmp_path / "a.parquet")
    profile, table = staged_vector(tmp_path / "a.parquet", tmp_path / "s")
    assert profile.error is None
    assert profile.geometry_column is None
    assert profile.geometry_type is None
    assert profile.crs is None
    assert table.to_pydict() == {"id": [3, 1, 2], "__row": [0, 1, 2]}
    data = StagedVector(tmp_path / "s/staged/data.parquet", profile, "v")
    assert data.batch(0, ["id"]).table["id"].to_pylist() == [3, 1, 2]


def test_no_geometry_and_no_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2, 3]}).select([]), tmp_path / "a.parquet")
    profile, table = staged_vector(tmp_path / "a.parquet", tmp_path / "s")
    assert profile.error is None
    assert table.column_names == ["__row"]
    assert profile.count == profile.declared_count


def test_null_empty_and_odd_geometries(tmp_path: Path) -> None:
    shapes = [
        None, shapely.Point(), shapely.Polygon(), shapely.Point(1, 2),
        shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), LINESTRING (0 0, 5 5))"),
        shapely.from_wkt("POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))"), shapely.Point(1, 2, 3),
    ]  # fmt: skip
    path = write(tmp_path, "gpkg", table_of(shapes, id=list(range(7))), "Unknown")
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    found = geometries(profile, table)
    assert found[0] is None
    assert [g.wkt for g in found[1:]] == [g.wkt for g in shapes[1:]]
    assert profile.geometry_type == "Unknown"
    geo = json.loads(pq.read_schema(tmp_path / "s/staged/data.parquet").metadata[b"geo"])
    assert geo["columns"][profile.geometry_column]["geometry_types"] == [
        "GeometryCollection", "Point", "Point Z", "Polygon",
    ]  # fmt: skip


def test_only_null_geometries(tmp_path: Path) -> None:
    profile, table = staged_vector(
        write_geojson(tmp_path / "a.geojson", [None] * 5), tmp_path / "s"
    )
    assert profile.error is None
    assert table["id"].to_pylist() == [0, 1, 2, 3, 4]
    assert geometries(profile, table) == [None] * 5
    assert profile.undecodable == ()


def test_measures_are_kept(tmp_path: Path) -> None:
    shapes = [shapely.from_wkt("LINESTRING ZM (0 0 1 2, 3 4 5 6)")]
    path = write(tmp_path, "parquet", table_of(shapes))
    profile, table = staged_vector(path, tmp_path / "s")
    assert geometries(profile, table)[0].wkt == shapes[0].wkt
    geo = json.loads(pq.read_schema(tmp_path / "s/staged/data.parquet").metadata[b"geo"])
    assert geo["columns"]["geometry"]["geometry_types"] == []


def test_coordinates_that_are_not_finite(tmp_path: Path) -> None:
    shapes = [
        shapely.to_wkb(shapely.Point(1, 1)).replace(
            np.float64(1).tobytes(), np.float64(v).tobytes()
        )
        for v in (np.nan, np.inf)
    ]
    path = write(tmp_path, "gpkg", table_of([*shapes, shapely.Point(2, 3)], id=[0, 1, 2]), "Point")
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.bounds == (2, 3, 2, 3)
    assert table["id"].to_pylist() == [0, 1, 2]
    assert table["bbox"].is_null().to_pylist() == [True, True, False]
    assert any("NaN or infinite" in note for note in profile.notes)


def test_curves_are_staged_as_lines_and_said(tmp_path: Path) -> None:
    ring = np.array([0, 0, 1, 1, 2, 0, 1, -1, 0, 0], dtype="<f8").tobytes()
    curve = b"\x01\x0a\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x05\x00\x00\x00" + ring
    path = write_parquet(tmp_path / "a.parquet", table_of([POLYGONS[0], curve, POLYGONS[1]]))
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == ()
    assert any(n.startswith("1 features have curves") for n in profile.notes)
    assert shapely.from_wkb(table["geometry"][1].as_py()).area == pytest.approx(np.pi, rel=1e-3)
    assert table["bbox"].is_null().to_pylist() == [False, False, False]


def test_damaged_wkb_is_kept_and_listed(tmp_path: Path) -> None:
    damaged = shapely.to_wkb(POLYGONS[0])[:-20]
    path = write_parquet(tmp_path / "a.parquet", table_of([damaged, POLYGONS[1], b""]))
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert profile.undecodable == (0, 2)
    assert table["geometry"].to_pylist()[0] == damaged


def test_one_row(tmp_path: Path) -> None:
    path = write(tmp_path, "fgb", table_of([shapely.Point(1, 2)], id=[5]), "Point")
    profile, table = staged_vector(path, tmp_path / "s")
    assert table["id"].to_pylist() == [5]
    assert profile.bounds == (1, 2, 1, 2)


def test_rows_are_in_hilbert_order_in_bounded_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", 100)
    path = write(tmp_path, "fgb", table_of(points(1000), id=list(range(1000))), "Point")
    stage("vector", path, tmp_path / "s")
    file = pq.ParquetFile(tmp_path / "s/staged/data.parquet")
    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(rows) == 1000
    assert all(75 <= n <= 100 for n in rows[:-1])
    area = 0.0
    for i in range(len(rows)):
        box = file.read_row_group(i)["bbox"].combine_chunks()
        xs, ys = (np.asarray(box.field(n)) for n in ("xmin", "ymin"))
        area += np.ptp(xs) * np.ptp(ys)
    assert area < 2.5


def test_row_groups_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoparquet_writer, "ROW_GROUP_BYTES", 20_000)
    texts = ["x" * (100 if i % 50 else 30_000) for i in range(200)]
    path = write(tmp_path, "fgb", table_of(points(200), text=texts), "Point")
    stage("vector", path, tmp_path / "s")
    file = pq.ParquetFile(tmp_path / "s/staged/data.parquet")
    for i in range(file.num_row_groups):
        texts = file.read_row_group(i)["text"].to_pylist()
        assert sum(map(len, texts)) < 20_000 or len(texts) == 1


def test_the_file_does_not_depend_on_memory_and_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = [None if i % 90 == 0 else p for i, p in enumerate(points(3000))]
    path = write(tmp_path, "gpkg", table_of(shapes, id=list(range(3000))), "Point")
    monkeypatch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", 300)
    stage("vector", path, tmp_path / "s")
    for i, (threads, memory, bucket) in enumerate([(1, 1, 1), (3, 0, 20_000), (2, 10_000, 1)]):
        monkeypatch.setattr(layer_scan.os, "cpu_count", lambda threads=threads: threads)
        monkeypatch.setattr(sort_buffer, "MEMORY_BYTES", memory)
        monkeypatch.setattr(
            sort_buffer.ExternalSortBuffer.__init__, "__defaults__", (memory, bucket)
        )
        stage("vector", path, tmp_path / f"s{i}")
        first, second = (
            (tmp_path / s / "staged/data.parquet").read_bytes() for s in ("s", f"s{i}")
        )
        assert first == second


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    from spatial_pipeline.contract.source import Source
    from spatial_pipeline.ingest import ingest

    path = write(tmp_path, "gpkg", table_of(POLYGONS, id=list(range(40))))
    seen: list[tuple[int, int | None]] = []
    source = Source(uri=str(path), layer=None, where=None)
    ingest("vector", source, None, tmp_path, tmp_path, None, lambda *at: seen.append(at))
    assert seen[-1] == (40, 40)


def test_a_source_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "gpkg", table_of(POLYGONS, id=list(range(40))))
    real = layer_scan.row_sizes

    def touching(*args: Any) -> Any:
        os.utime(path, (1, 1))
        return real(*args)

    monkeypatch.setattr(layer_scan, "row_sizes", touching)
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error == "a.gpkg changed while it was read"
    assert table.num_rows == 0


LIMITED = """
import resource, signal, sys
from pathlib import Path
from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import ingest
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
folder = Path(sys.argv[3])
try:
    ingest(sys.argv[1], Source(uri=sys.argv[2], layer=None, where=None), None, folder, folder)
except Exception as exc:
    print(type(exc).__mro__[-3].__name__, exc)
print(sorted(p.name for p in folder.rglob("*")))
"""


def test_a_full_disk_is_no_fault_of_the_source(tmp_path: Path) -> None:
    path = write(tmp_path, "fgb", table_of(points(5000), id=list(range(5000))), "Point")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "vector", str(path), str(tmp_path / "out")],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert "File too large" in first
    assert second == "[]"
    assert {p.name for p in tmp_path.iterdir()} == {"a.fgb", "out"}


MEASURED = """
import resource, sys
from pathlib import Path
from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import ingest, sort_buffer
sort_buffer.ExternalSortBuffer.__init__.__defaults__ = (4 << 20, 4 << 20)
folder = Path(sys.argv[2])
source = Source(uri=sys.argv[1], layer=None, where=None)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
profile = ingest("vector", source, None, folder, folder)
print(profile.count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_geometries(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 1001)[:-1]
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    peaks = []
    for n in (500, 3500):
        centres = np.random.default_rng(0).random((n, 1, 2)) * 1000
        wkb = shapely.to_wkb(shapely.polygons(circle + centres))
        table = table_of(wkb.tolist())
        pq.write_table(
            table.replace_schema_metadata(
                {"geo": json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {
                    "geometry": {"encoding": "WKB", "geometry_types": []}}})}
            ),
            tmp_path / "a.parquet", compression="none", row_group_size=500,
        )  # fmt: skip
        folder = tmp_path / f"out{n}"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(tmp_path / "a.parquet"), str(folder)],
            capture_output=True, text=True, timeout=100, check=True,
        )  # fmt: skip
        count, kilobytes = map(int, done.stdout.split())
        assert count == n
        peaks.append(kilobytes)
    # 48 MB more of the data, whose WKB is decoded, sorted and written.
    assert peaks[1] - peaks[0] < 24_000

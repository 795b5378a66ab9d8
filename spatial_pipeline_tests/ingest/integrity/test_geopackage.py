"""Null, empty and NaN stay three things in a GeoPackage."""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

NAN = math.nan


def blob(flags: int, order: str, *numbers: float, word: int = 1) -> bytes:
    """A point behind the header of a GeoPackage geometry; its envelope is of zeros."""
    envelope = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}[flags >> 1 & 7]
    point = struct.pack(f"{order}BI{len(numbers)}d", order == "<", word, *numbers)
    return struct.pack("<2sBBi", b"GP", 0, flags, 32633) + bytes(envelope) + point


def written(path: Path, *blobs: bytes | None) -> Path:
    points = np.array([shapely.to_wkb(shapely.Point(1, 2))] * len(blobs), dtype=object)
    pyogrio.raw.write(
        str(path), geometry=points, geometry_type="Unknown", crs="EPSG:32633",
        field_data=[np.arange(len(blobs))], fields=["a"], layer_options={"SPATIAL_INDEX": "NO"},
    )  # fmt: skip
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "UPDATE a SET geom = ? WHERE fid = ?", [(b, i) for i, b in enumerate(blobs, 1)]
        )
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("envelope", [0, 1, 2, 4])
def test_a_point_of_nan_is_named_and_an_empty_one_is_empty(
    envelope: int, order: str, tmp_path: Path
) -> None:
    shown, empty = 1 | envelope << 1, 0x11 | envelope << 1
    path = written(
        tmp_path / "a.gpkg",
        blob(empty, order, NAN, NAN),
        blob(shown, order, NAN, NAN),
        None,
        blob(shown, order, NAN, 1.0),
        blob(shown, order, 3.0, 4.0),
        blob(shown, order, NAN, NAN, NAN, word=1001),
        blob(shown, order, 3.0, 4.0, NAN, word=1001),
    )
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert [(d.row, d.text, d.reason) for d in profile.defects] == [
        (row, "POINT (nan nan)", "is a point of NaN, which in WKB is an empty one")
        for row in (1, 5)
    ]
    assert profile.undecodable == (1, 5)
    found = [None if g is None else g.wkt for g in geometries(profile, table)]
    assert found == [
        "POINT EMPTY", None, None, "POINT (NaN 1)", "POINT (3 4)", None, "POINT Z (3 4 NaN)",
    ]  # fmt: skip


def test_points_of_nan_behind_others_keep_their_rows(tmp_path: Path) -> None:
    good = blob(1, "<", 1.0, 2.0)
    path = written(tmp_path / "a.gpkg", *[good] * 50, blob(1, "<", NAN, NAN), good)
    profile, table = staged_vector(path, tmp_path / "s")
    assert [d.row for d in profile.defects] == [50]
    assert [i for i, g in enumerate(geometries(profile, table)) if g is None] == [50]


def test_a_table_of_very_many_columns_is_read_and_its_last_value_named(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        str(path), geometry=np.array([shapely.to_wkb(shapely.Point(1, 2))], dtype=object),
        geometry_type="Point", crs="EPSG:32633", field_data=[np.array([i]) for i in range(1500)],
        fields=[f"c{i}" for i in range(1500)], layer_options={"SPATIAL_INDEX": "NO"},
    )  # fmt: skip
    assert staged_vector(path, tmp_path / "s")[0].defect_count == 0
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE a SET c1499 = 'abc'")
    (defect,) = staged_vector(path, tmp_path / "t")[0].defects
    assert (defect.row, defect.column, defect.text) == (0, "c1499", "abc")


def test_values_that_a_table_of_sqlite_declares_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (n SMALLINT, r REAL, d DATE, s TIMESTAMP)")
        database.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?)",
            [
                (5, 1.5, "2020-01-31", "2020-01-31T10:00:00.123456Z"),
                ("abc", "1,5", "2020-02-30", "2020-02-30T10:00:00Z"),
                (40000, 1, None, "2020-01-31T10:00:00.123456"),
            ],
        )
    profile, table = staged_vector(path, tmp_path / "s")
    assert [(d.row, d.column, d.text) for d in profile.defects] == [
        (1, "d", "2020-02-30"), (1, "n", "abc"), (1, "r", "1,5"), (1, "s", "2020-02-30T10:00:00Z"),
        (2, "n", "40000"),
    ]  # fmt: skip
    # Some have a zone and some have none: texts as they stand there.
    assert table["s"].to_pylist() == [
        "2020-01-31T10:00:00.123456Z", None, "2020-01-31T10:00:00.123456"
    ]  # fmt: skip
    assert table["n"].to_pylist() == [5, None, None]


@pytest.mark.parametrize("counted", [1, 9])
def test_a_count_that_is_gdals_only_is_a_note(counted: int, tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", *[blob(1, "<", 1.0, 2.0)] * 3)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE gpkg_ogr_contents SET feature_count = ?", (counted,))
        database.execute("UPDATE gpkg_contents SET min_x = 9e999, max_x = -9e999, min_y = NULL")
    profile, table = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.defect_count, table.num_rows) == (None, 0, 3)
    assert any(f"counts {counted} features" in note for note in profile.notes)
    assert profile.bounds == (1, 2, 1, 2)

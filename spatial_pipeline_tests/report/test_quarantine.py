"""Features apart from the rest: names that are taken, types that a GeoPackage has not."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import geopandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.quarantine import export, named_rows, to_table
from spatial_pipeline_tests.report.cases import checked, result
from spatial_pipeline_tests.support import memory_vector


def test_rows_of_other_datasets_and_of_nothing_are_left_out() -> None:
    violations = Violations.build([[3, -1], [1, 3], [-1, -1]], ["a", "b", "c"])
    bad = checked(evaluations=((result(name="x"), violations),))
    assert named_rows(bad) == {1: ["x: b"], 3: ["x: a", "x: b"]}


@pytest.mark.parametrize(
    "rule", ["must_not_have_gaps", "tiles_must_not_have_gaps", "ranges_must_not_have_gaps"]
)
def test_the_neighbours_of_a_gap_are_innocent(rule: str) -> None:
    gap = Violations.build([[3, 1]], "gap")
    assert named_rows(checked(evaluations=((result(rule=rule), gap),))) == {}
    overlap = Violations.build([[3, 5]], "overlap")
    both = checked(evaluations=((result(rule=rule), gap), (result(), overlap)))
    assert list(named_rows(both)) == [3, 5]


def test_names_that_are_taken_get_a_number() -> None:
    data = memory_vector(
        [shapely.Point(0, 0)],
        {"geometry": ["x"], "Geometry_1": ["y"], "quarantine_row": [9]},
    )
    table = to_table(data.everything, {0: ["bad"]})
    assert table.column_names == [
        "geometry_2", "Geometry_1", "quarantine_row", "quarantine_row_1", "quarantine_id",
        "quarantine_reasons", "geometry",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["gpkg", "parquet"])
def test_every_type_has_a_place(tmp_path: Path, ending: str) -> None:
    columns = {
        "list": pa.array([[1, 2]]),
        "struct": pa.array([{"a": 1}]),
        "decimal": pa.array([Decimal("1.50")]),
        "time": pa.array([dt.time(1, 2, 3)]),
        "null": pa.nulls(1),
        "date": pa.array([dt.date(2020, 1, 1)]),
        "bytes": pa.array([b"x"]),
    }
    data = memory_vector([shapely.Point(0, 0)], columns)
    path = tmp_path / f"f.{ending}"
    (written,) = export([("data", to_table(data.everything, {0: ["bad"]}))], path)
    read = geopandas.read_file if ending == "gpkg" else geopandas.read_parquet
    frame = read(written)
    assert len(frame) == 1
    assert str(frame["list"][0]) == "[1, 2]" or frame["list"][0].tolist() == [1, 2]


@pytest.mark.parametrize("ending", ["gpkg", "parquet"])
def test_time_stamps_stay_what_they_are(tmp_path: Path, ending: str) -> None:
    local = dt.datetime(2020, 7, 1, 10, 0, 0, 123456)  # noqa: DTZ001 (it has no zone)
    utc = local.replace(tzinfo=dt.UTC, microsecond=123000)
    columns = {
        "local": pa.array([local], pa.timestamp("us")),
        "utc": pa.array([utc], pa.timestamp("ms", "UTC")),
        "fine": pa.array([local.replace(tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        "paris": pa.array([utc], pa.timestamp("ms", "Europe/Paris")),
    }
    data = memory_vector([shapely.Point(0, 0)], columns)
    (written,) = export(
        [("data", to_table(data.everything, {0: ["bad"]}))], tmp_path / f"f.{ending}"
    )
    if ending == "gpkg":
        with closing(sqlite3.connect(written)) as database:
            (row,) = database.execute("SELECT local, utc, fine, paris FROM data")
        assert row == (
            "2020-07-01T10:00:00.123456", "2020-07-01T10:00:00.123Z",
            "2020-07-01T10:00:00.123456Z", "2020-07-01T10:00:00.123Z",
        )  # fmt: skip
    else:
        (read,) = pq.read_table(written, columns=[*columns]).to_pylist()
        assert read == {n: c[0].as_py() for n, c in columns.items()}


def number(value: int, kind: pa.DataType) -> pa.Array:
    storage = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    return pa.array([value], storage).cast(kind)


AS_THEY_ARE: dict[str, tuple[pa.Array, object]] = {
    "decimal": (pa.array([Decimal("12345678901234567890.10")]), "12345678901234567890.10"),
    "zero": (pa.array([Decimal(0)], pa.decimal128(30, 12)), "0.000000000000"),
    "int64": (pa.array([2**63 - 1]), 2**63 - 1),
    "uint64": (pa.array([2**63 - 1], pa.uint64()), 2**63 - 1),
    "unsigned": (pa.array([2**64 - 1], pa.uint64()), "18446744073709551615"),
    "none": (pa.array([None], pa.uint64()), None),
    "nan": (pa.array([float("nan")]), "NaN"),
    "date": (pa.array([dt.date(9999, 12, 31)]), "9999-12-31"),
    "before": (number(-2_440_588, pa.date32()), "-4713-11-24"),
    "behind": (number(2**31 - 1, pa.date32()), "5881580-07-11"),
    "instant": (number(2**62, pa.timestamp("ms", "UTC")), "146140482-04-24T15:36:27.904000Z"),
    "local": (number(-(2**62), pa.timestamp("us")), "-144169-06-28T09:59:32.612096"),
    "clock": (number(1, pa.time64("ns")), "00:00:00.000000001"),
    "span": (number(-1, pa.duration("ns")), "-PT0.000000001S"),
    "text": (pa.array(["a\0b"]), "a\N{REPLACEMENT CHARACTER}b"),
    "nested": (pa.array([[Decimal("0.10")]]), '["0.10"]'),
}


def test_extreme_values_are_in_a_geopackage_as_the_source_has_them(tmp_path: Path) -> None:
    data = memory_vector([shapely.Point(0, 0)], {n: a for n, (a, _) in AS_THEY_ARE.items()})
    (written,) = export([("data", to_table(data.everything, {0: ["bad"]}))], tmp_path / "f.gpkg")
    with closing(sqlite3.connect(written)) as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT * FROM data")
    assert {n: row[n] for n in AS_THEY_ARE} == {n: v for n, (_, v) in AS_THEY_ARE.items()}


def test_without_geometry(tmp_path: Path) -> None:
    data = memory_vector([None], {"id": [1]}, crs=None)
    table = to_table(data.everything, {0: ["bad"]})
    export([("data", table)], tmp_path / "f.gpkg")
    assert geopandas.read_file(tmp_path / "f.gpkg")["id"].tolist() == [1]

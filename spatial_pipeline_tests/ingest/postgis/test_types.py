from __future__ import annotations

import pyarrow as pa
import pytest

from spatial_pipeline.ingest.postgis.types import TableColumn, coding, measures, unsayable


def column(kind: str, typmod: int = -1) -> TableColumn:
    return TableColumn(name="c", type=kind, typmod=typmod, nullable=True, declared=kind)


def numeric(precision: int, scale: int) -> TableColumn:
    """As PostgreSQL packs numeric(p, s): 16 bits of precision, 11 of scale, plus four."""
    return column("numeric", ((precision << 16) | (scale & 0x7FF)) + 4)


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        ("int2", pa.int16()),
        ("int4", pa.int32()),
        ("int8", pa.int64()),
        ("oid", pa.int64()),
        ("float4", pa.float32()),
        ("float8", pa.float64()),
        ("bool", pa.bool_()),
        ("date", pa.date32()),
        ("time", pa.time64("us")),
        ("timestamp", pa.timestamp("us")),
        ("timestamptz", pa.timestamp("us", "UTC")),
        ("bytea", pa.binary()),
        ("text", pa.string()),
        ("uuid", pa.string()),
        ("other", pa.string()),
    ],
)
def test_a_type_and_what_it_is_staged_as(kind: str, arrow: pa.DataType) -> None:
    assert coding(column(kind), None, (None, None)).arrow == arrow
    assert not unsayable(column(kind), (None, None))


@pytest.mark.parametrize("kind", ["date", "time", "timestamp", "timestamptz"])
def test_times_that_no_type_can_say_are_text(kind: str) -> None:
    assert len(measures(column(kind))) == 1
    assert coding(column(kind), None, (False,)).arrow == pa.string()
    assert unsayable(column(kind), (False,))
    assert not unsayable(column(kind), (True,))


@pytest.mark.parametrize(
    ("precision", "scale", "arrow"),
    [
        (10, 2, pa.decimal128(10, 2)),
        (38, 0, pa.decimal128(38, 0)),
        (38, 38, pa.decimal128(38, 38)),
        (39, 2, pa.decimal256(39, 2)),
        (76, 76, pa.decimal256(76, 76)),
        (5, -2, pa.decimal128(7, 0)),
        (2, 5, pa.decimal128(5, 5)),
    ],
)
def test_decimal_where_the_digits_fit(precision: int, scale: int, arrow: pa.DataType) -> None:
    assert measures(numeric(precision, scale)) == ()
    assert coding(numeric(precision, scale), None, ()).arrow == arrow


@pytest.mark.parametrize("declared", [column("numeric"), numeric(1000, 500)])
@pytest.mark.parametrize(
    ("whole", "scale", "arrow"),
    [
        (None, None, pa.decimal128(38, 0)),
        (38, 0, pa.decimal128(38, 0)),
        (3, 2, pa.decimal128(38, 18)),
        (20, 18, pa.decimal128(38, 18)),
        (3, 20, pa.decimal128(38, 20)),
        (30, 8, pa.decimal128(38, 8)),
        (39, 0, pa.decimal256(76, 0)),
        (30, 20, pa.decimal256(76, 20)),
        (70, 20, pa.decimal256(76, 6)),
        (131072, 16383, pa.decimal256(76, 18)),
    ],
)
def test_numeric_without_digits_takes_those_that_are_there(
    declared: TableColumn, whole: int | None, scale: int | None, arrow: pa.DataType
) -> None:
    assert len(measures(declared)) == 2
    assert coding(declared, None, (whole, scale)).arrow == arrow


@pytest.mark.parametrize("kind", ["geometry", "geography"])
def test_geometries_travel_as_wkb_by_the_function_of_their_extension(kind: str) -> None:
    found = coding(column(kind), '"Odd schema"', ())
    assert found.arrow == pa.binary()
    assert found.sql.replace("{}", "c0") == "\"Odd schema\".ST_AsBinary(c0, 'NDR')"
    assert column(kind).is_geometry
    assert not column("bytea").is_geometry

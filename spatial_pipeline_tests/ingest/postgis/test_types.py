from __future__ import annotations

import pyarrow as pa
import pytest

from spatial_pipeline.ingest.postgis.types import TableColumn, coding, is_rounded


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
    assert coding(column(kind), None).arrow == arrow
    assert not is_rounded(column(kind))


@pytest.mark.parametrize(
    ("precision", "scale", "arrow"),
    [
        (10, 2, pa.decimal128(10, 2)),
        (38, 0, pa.decimal128(38, 0)),
        (38, 38, pa.decimal128(38, 38)),
        (39, 2, pa.string()),
        (1000, 500, pa.string()),
        (5, -2, pa.string()),
        (2, 5, pa.string()),
    ],
)
def test_decimal_where_the_digits_fit(precision: int, scale: int, arrow: pa.DataType) -> None:
    assert coding(numeric(precision, scale), None).arrow == arrow
    assert not is_rounded(numeric(precision, scale))


def test_numeric_without_digits_is_rounded_to_double() -> None:
    assert coding(column("numeric"), None).arrow == pa.float64()
    assert is_rounded(column("numeric"))


@pytest.mark.parametrize("kind", ["geometry", "geography"])
def test_geometries_travel_as_wkb_by_the_function_of_their_extension(kind: str) -> None:
    found = coding(column(kind), '"Odd schema"')
    assert found.arrow == pa.binary()
    assert found.sql.replace("{}", "c0") == "\"Odd schema\".ST_AsBinary(c0, 'NDR')"
    assert column(kind).is_geometry
    assert not column("bytea").is_geometry

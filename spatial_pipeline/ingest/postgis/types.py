"""Encoding of the columns of a table in transit, and their staged types.

Where the declaration leaves open what a column may hold, the server measures what it holds, in the
pass that names the version: the digits of numbers, and whether all times are ones that Arrow's and
Python's types can say. So a type follows from the snapshot, and no value is rounded or replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from spatial_pipeline.ingest.postgis.rows import (
    Coding,
    blobs,
    booleans,
    dates,
    decimals,
    instants,
    numbers,
    texts,
)

GEOMETRIES = frozenset({"geometry", "geography"})
_CODINGS = {
    "int2": Coding(pa.int16(), "{}::int2", numbers(">i2")),
    "int4": Coding(pa.int32(), "{}::int4", numbers(">i4")),
    "int8": Coding(pa.int64(), "{}::int8", numbers(">i8")),
    "oid": Coding(pa.int64(), "{}::int8", numbers(">i8")),
    "float4": Coding(pa.float32(), "{}::float4", numbers(">f4")),
    "float8": Coding(pa.float64(), "{}::float8", numbers(">f8")),
    "bool": Coding(pa.bool_(), "{}::bool", booleans),
    "date": Coding(pa.date32(), "{}::date", dates),
    "time": Coding(pa.time64("us"), "{}::time", numbers(">i8")),
    "timestamp": Coding(pa.timestamp("us"), "{}::timestamp", instants),
    "timestamptz": Coding(pa.timestamp("us", "UTC"), "{}::timestamptz", instants),
    "bytea": Coding(pa.binary(), "{}::bytea", blobs),
}
_TEXT = Coding(pa.string(), "{}::text", texts)
_NAMED = {
    "regclass": "pg_class",
    "regcollation": "pg_collation",
    "regconfig": "pg_ts_config",
    "regdictionary": "pg_ts_dict",
    "regnamespace": "pg_namespace",
    "regoper": "pg_operator",
    "regoperator": "pg_operator",
    "regproc": "pg_proc",
    "regprocedure": "pg_proc",
    "regrole": "pg_authid",
    "regtype": "pg_type",
}
"""Catalogues of the types whose text depends on the search path."""
REFERENCES = frozenset(_NAMED)
_SAYABLE = {
    "date": "'0001-01-01' AND '9999-12-31'",
    "time": "'00:00:00' AND '23:59:59.999999'",
    "timestamp": "'0001-01-01 00:00:00' AND '9999-12-31 23:59:59.999999'",
    "timestamptz": "'0001-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'",
}
"""Ranges of the types of time that Arrow, Parquet and Python share."""
_DIGITS = {pa.decimal128: 38, pa.decimal256: 76}
_WHOLE, _USUAL = 20, 18
"""Digits before and behind the point for which a column of fractions keeps one type."""


@dataclass(frozen=True)
class TableColumn:
    """A column as the catalogue describes it.

    Attributes:
        name: its name.
        type: name of its base type; ``geometry`` and ``geography`` are PostGIS' own.
        typmod: modifier of the type, -1 for none.
        nullable: False when it is declared NOT NULL.
        declared: type as a column definition says it, whatever the search path.

    """

    name: str
    type: str
    typmod: int
    nullable: bool
    declared: str

    @property
    def is_geometry(self) -> bool:
        """True for geometry and geography."""
        return self.type in GEOMETRIES


def measures(column: TableColumn) -> tuple[str, ...]:
    """Aggregates that :func:`coding` needs to know of a column, ``{}`` for the column."""
    if column.type in _SAYABLE:
        return (f"pg_catalog.bool_and({{}} BETWEEN {_SAYABLE[column.type]})",)
    if column.type == "numeric" and _declared(column.typmod) is None:
        finite = "FILTER (WHERE pg_catalog.min_scale({}) IS NOT NULL)"
        whole = f"pg_catalog.trunc(pg_catalog.max(pg_catalog.abs({{}})) {finite})"
        return (
            f"pg_catalog.length(NULLIF({whole}, 0)::text)",
            "pg_catalog.max(pg_catalog.min_scale({}))",
        )
    return ()


def coding(column: TableColumn, postgis: str | None, measured: Sequence[Any]) -> Coding:
    """Choose the encoding and the staged type of a column.

    What has no counterpart in Arrow (uuid, json, arrays, intervals, enumerations, …) is staged as
    PostgreSQL writes it, and so are all times of a column that holds infinity, a year before 1 or
    behind 9999, or 24:00:00.

    Args:
        column: the column.
        postgis: quoted schema of PostGIS.
        measured: results of :func:`measures`; a result is None where there are no values.

    """
    if column.is_geometry:
        # ISO WKB with Z and M, little endian; the SRID is a matter of the column.
        return Coding(pa.binary(), f"{postgis}.ST_AsBinary({{}}, 'NDR')", blobs)
    if column.type == "numeric":
        found = _declared(column.typmod)
        if found is not None:
            return Coding(found, "{}::text", decimals)
        # Zeros behind the last digit are no part of a value.
        return Coding(_holding(*measured), "pg_catalog.trim_scale({})::text", decimals)
    if column.type in REFERENCES:
        identity = (
            f"pg_catalog.pg_identify_object('pg_catalog.{_NAMED[column.type]}'::regclass, "
            "{}::oid, 0)"
        )
        return Coding(pa.string(), f"COALESCE(({identity}).identity, {{}}::oid::text)", texts)
    if column.type in _SAYABLE and measured[0] is False:
        return _TEXT
    return _CODINGS.get(column.type, _TEXT)


def unsayable(column: TableColumn, measured: Sequence[Any]) -> bool:
    """True for a column of times that is staged as text because of what it holds."""
    return column.type in _SAYABLE and measured[0] is False


def _declared(typmod: int) -> pa.DataType | None:
    """Decimal of the declared digits, None where none are declared or they are too many."""
    if typmod < 4:
        return None
    precision = (typmod - 4) >> 16 & 0xFFFF
    scale = ((typmod - 4 & 0x7FF) ^ 1024) - 1024
    # numeric(2,-3) holds whole thousands of up to five digits, numeric(2,5) numbers below 0.001.
    precision, scale = max(precision - min(scale, 0), scale), max(scale, 0)
    return _decimal(precision, scale)


def _holding(whole: int | None, scale: int | None) -> pa.DataType:
    """Decimal that holds these digits before and behind the point.

    A column of whole numbers has no digits behind it, one of fractions has 18, so that the type
    changes with the rows only where they cannot be held otherwise. What no decimal holds is named
    when it is read.
    """
    whole, scale = whole or 0, scale or 0
    if not scale and whole <= 38:
        return pa.decimal128(38, 0)
    if whole <= _WHOLE and scale <= _USUAL:
        return pa.decimal128(38, _USUAL)
    if whole + scale <= 38:
        return pa.decimal128(38, scale)
    return pa.decimal256(76, min(scale, 76 - whole if whole <= 76 else _USUAL))


def _decimal(precision: int, scale: int) -> pa.DataType | None:
    for make, most in _DIGITS.items():
        if precision <= most:
            return make(precision, scale)
    return None

"""How the columns of a table travel and as what they are staged."""

from __future__ import annotations

from dataclasses import dataclass

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
_DOUBLE = Coding(pa.float64(), "{}::float8", numbers(">f8"))
_MAX_DIGITS = 38


@dataclass(frozen=True)
class TableColumn:
    """A column as the catalogue describes it.

    Attributes:
        name: its name.
        type: name of its base type; ``geometry`` and ``geography`` are PostGIS' own.
        typmod: modifier of the type, -1 for none.
        nullable: False when it is declared NOT NULL.
        declared: type as a column definition says it.

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


def coding(column: TableColumn, postgis: str | None) -> Coding:
    """How a column travels; ``postgis`` is the quoted schema of PostGIS.

    What has no counterpart in Arrow (uuid, json, arrays, intervals, enumerations, …) is staged as
    PostgreSQL writes it.
    """
    if column.is_geometry:
        # ISO WKB with Z and M, little endian; the SRID is a matter of the column.
        return Coding(pa.binary(), f"{postgis}.ST_AsBinary({{}}, 'NDR')", blobs)
    if column.type == "numeric":
        return _numeric(column.typmod)
    return _CODINGS.get(column.type, _TEXT)


def is_rounded(column: TableColumn) -> bool:
    """True for a numeric column without precision, which is staged as double."""
    return column.type == "numeric" and _numeric(column.typmod) is _DOUBLE


def _numeric(typmod: int) -> Coding:
    """Decimal where the declared digits fit, text where they do not, double without any."""
    if typmod < 4:
        return _DOUBLE
    precision = (typmod - 4) >> 16 & 0xFFFF
    scale = ((typmod - 4 & 0x7FF) ^ 1024) - 1024
    if precision > _MAX_DIGITS or scale < 0 or scale > precision:
        return _TEXT
    return Coding(pa.decimal128(precision, scale), "{}::text", decimals)

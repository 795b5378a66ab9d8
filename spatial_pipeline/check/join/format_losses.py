"""Types and names of columns that a vector format cannot hold, and what takes their place.

Sources: GDAL's driver pages (creation of fields), the dBASE layout, RFC 7946 (JSON has numbers,
text and booleans), FlatGeobuf's column types, OGC 12-128r19 table 1 (GeoPackage's data types).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

MAX_NAME = 10
"""Bytes of a name in a dBASE file."""


@dataclass(frozen=True)
class FormatLoss:
    """A kind of values that a format cannot hold.

    Attributes:
        kind: the kind that is lost.
        becomes: kinds that take its place.
        reason: why.

    """

    kind: str
    becomes: frozenset[str]
    reason: str


def _lost(kinds: str, becomes: str, reason: str) -> tuple[FormatLoss, ...]:
    return tuple(FormatLoss(k, frozenset(becomes.split()), reason) for k in kinds.split())


_WIDTHS = "integers have other widths"
_MOMENTS = "date-times have another precision or no zone"
_NESTED = "nested values are text"
LOSSES: dict[str, tuple[FormatLoss, ...]] = {
    "ESRI Shapefile": (
        *_lost("bool", "integer string", "a Shapefile has no booleans"),
        *_lost("datetime", "date string", "a Shapefile has no date-times"),
        *_lost("time", "string", "a Shapefile has no times"),
        *_lost("integer", "integer float", "numbers of a Shapefile have a width in digits"),
        *_lost("float decimal", "float", "numbers of a Shapefile have a width in digits"),
        *_lost("list struct map", "string", f"a Shapefile has no lists: {_NESTED}"),
        *_lost("binary", "string", "a Shapefile has no binary values"),
    ),
    "GeoJSON": (
        *_lost("date datetime time", "string date datetime", "JSON has no dates and times"),
        *_lost("datetime", "datetime", f"GeoJSON: {_MOMENTS}"),
        *_lost("integer", "integer float", f"GeoJSON: {_WIDTHS}"),
        *_lost("float decimal", "float integer", "JSON has one type of numbers"),
        *_lost("binary", "string", "JSON has no binary values"),
    ),
    "CSV": (
        *_lost(
            "bool integer float decimal date datetime time binary list struct map",
            "string integer float date datetime time bool",
            "CSV has text only",
        ),
    ),
    "GPKG": (
        *_lost("datetime", "datetime", f"GeoPackage: {_MOMENTS}"),
        *_lost("time", "string", "a GeoPackage has no times"),
        *_lost("integer", "integer", f"GeoPackage: {_WIDTHS}"),
        *_lost("decimal", "float string", "a GeoPackage has no decimals"),
        *_lost("list struct map", "string", f"GeoPackage: {_NESTED}"),
    ),
    "FlatGeobuf": (
        *_lost("date", "datetime string", "FlatGeobuf has no dates without a time"),
        *_lost("datetime", "datetime", f"FlatGeobuf: {_MOMENTS}"),
        *_lost("time", "string", "FlatGeobuf has no times"),
        *_lost("decimal", "float string", "FlatGeobuf has no decimals"),
        *_lost("list struct map", "string", f"FlatGeobuf: {_NESTED}"),
    ),
}  # fmt: skip
"""Losses by GDAL's short name of the format that holds the poorer values."""
_KINDS = (
    ("bool", pa.types.is_boolean), ("integer", pa.types.is_integer),
    ("float", pa.types.is_floating), ("decimal", pa.types.is_decimal), ("date", pa.types.is_date),
    ("datetime", pa.types.is_timestamp), ("time", pa.types.is_time),
    ("string", pa.types.is_large_string), ("binary", pa.types.is_large_binary),
    ("list", pa.types.is_large_list), ("struct", pa.types.is_struct), ("map", pa.types.is_map),
)  # fmt: skip


def loss(driver: str, whole: pa.DataType, left: pa.DataType) -> str:
    """The reason why a format holds values of one type as another one; empty without one.

    Args:
        driver: GDAL's short name of the format.
        whole: type of the values elsewhere, without Arrow's storage variants.
        left: their type in the format, likewise.

    """
    kind, becomes = _kind(whole), _kind(left)
    for known in LOSSES.get(driver, ()):
        if known.kind == kind and becomes in known.becomes:
            return known.reason
    return ""


def truncated(names: Sequence[str], short: Sequence[str]) -> dict[str, str]:
    """Names with what a dBASE file leaves of them: 10 bytes, the last ones a number if need be.

    Args:
        names: names of any length, in the order of the columns.
        short: names in the file, each taken once.

    """
    free, found = list(short), {}
    for name in names:
        whole = name.encode("utf-8")
        if len(whole) <= MAX_NAME:
            continue
        stem = whole[:MAX_NAME].decode("utf-8", "ignore")
        fits = [s for s in free if s.casefold() == stem.casefold()]
        # Of equal stems GDAL numbers all but the first: popul_1, popul_2 …, then popul10.
        fits += [s for s in free if s not in fits and _numbered(stem, s)]
        if fits:
            found[name] = fits[0]
            free.remove(fits[0])
    return found


def _numbered(stem: str, name: str) -> bool:
    bare = name.rstrip("0123456789")
    number = len(name) - len(bare)
    bare = bare.removesuffix("_")
    return (
        0 < number < 4 and len(bare) >= MAX_NAME - 4 and stem.casefold().startswith(bare.casefold())
    )


def _kind(kind: pa.DataType) -> str:
    return next((name for name, holds in _KINDS if holds(kind)), str(kind))


__all__ = ["LOSSES", "FormatLoss", "loss", "truncated"]

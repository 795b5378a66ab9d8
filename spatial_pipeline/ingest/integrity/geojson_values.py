"""What a GeoJSON text says, compared with the layer that GDAL makes of it.

GDAL drops elements that are no features, ids that are numbers and offsets of times, moves days that
do not exist, and rounds whole numbers in columns of floating-point numbers.

Source: RFC 7946; RFC 8142 for sequences.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import IO, Any

import pyarrow as pa
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.integrity import geojson
from spatial_pipeline.json_text import json_text

_EXACT = 1 << 53
_INT64 = 1 << 63
_NAMED = 5
"""Elements that are no features that an error names."""
_ESCAPED = re.compile(r"[\ud800-\udfff]")
_TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?$"
)
Value = Any


@dataclass
class _Columns:
    """Columns of the layer that need a second look, by the name of the property."""

    integers: set[str]
    floats: set[str]
    booleans: set[str]
    days: dict[str, list[str | None]]
    times: dict[str, list[str | None]]
    ids: list[Value] = field(default_factory=list)


def audit(stream: IO[str], layer: Layer) -> dict[str, pa.Array]:
    """Compares every feature of a text with the columns of its layer.

    Args:
        stream: the text, bytes that are not UTF-8 as lone surrogates.
        layer: the open layer; takes the true count, defects, and no CRS where the text declares
            one that is unknown.

    Returns:
        Columns to stage in the place of GDAL's, and the column ``id`` where GDAL drops it.

    Raises:
        SourceError: the text is not well-formed, or elements of it are no features.

    """
    columns = _columns(layer)
    members: dict[str, Value] = {}
    row = 0
    strangers: list[str] = []
    for element in geojson.features(stream, members):
        if not _is_feature(element):
            strangers.append(json_text(element)[:60])
            continue
        _look_at(element, row, columns, layer)
        row += 1
    if strangers and not (row == 0 and len(strangers) == 1):
        msg = f"{len(strangers)} elements are no features: {', '.join(strangers[:_NAMED])}"
        raise SourceError(msg)
    layer.declared_count = max(row, 1 if strangers else 0)
    _judge_crs(members, layer)
    return _exact(columns, layer)


def _is_feature(element: Value) -> bool:
    return isinstance(element, dict) and element.get("type") == "Feature"


def _columns(layer: Layer) -> _Columns:
    kinds = {f.name: f.type for f in layer.attributes}

    def of(test: Any) -> list[str]:
        return [n for n, t in kinds.items() if test(t)]

    return _Columns(
        integers=set(of(pa.types.is_integer)),
        floats=set(of(pa.types.is_floating)),
        booleans=set(of(pa.types.is_boolean)),
        days={n: [] for n in of(pa.types.is_date)},
        times={n: [] for n in of(pa.types.is_timestamp)},
    )


def _look_at(feature: dict[str, Value], row: int, columns: _Columns, layer: Layer) -> None:
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    for name, value in properties.items():
        if isinstance(value, str):
            if not value.isascii() and _ESCAPED.search(value):
                shown = value.encode("utf-8", "surrogateescape").decode("latin-1")
                layer.defects.add([row], name, [shown], "is not UTF-8")
        elif value is not None:
            reason = _misfit(name, value, columns)
            if reason:
                layer.defects.add([row], name, [json_text(value, ascii_only=True)], reason)
    for texts in (columns.days, columns.times):
        for name, values in texts.items():
            value = properties.get(name)
            values.append(
                value
                if isinstance(value, str) or value is None
                else json_text(value, ascii_only=True)
            )
    columns.ids.append(feature.get("id"))


def _misfit(name: str, value: Value, columns: _Columns) -> str | None:
    """Why a column of GDAL's type does not hold a value, None where it does."""
    if name in columns.booleans:
        return None if isinstance(value, bool) else "stands in a column of truth values"
    if name not in columns.integers and name not in columns.floats:
        return None
    if isinstance(value, bool):
        return "is a truth value in a column of numbers"
    if not isinstance(value, int):
        known = isinstance(value, float) and name in columns.floats
        return None if known else "is no whole number"
    if name in columns.integers:
        return None if -_INT64 <= value < _INT64 else "does not fit 64 bits"
    if abs(value) > _EXACT and int(float(value)) != value:
        return "is not exact in a column of floating-point numbers"
    return None


def _judge_crs(members: dict[str, Value], layer: Layer) -> None:
    """Takes the CRS away that GDAL assumes where the text declares another, or none."""
    if "crs" not in members:
        return
    declared = members["crs"]
    properties = declared.get("properties") if isinstance(declared, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(name, str) and name:
        try:
            pyproj.CRS.from_user_input(name)
        except CRSError:
            pass
        else:
            return
    layer.crs = None
    layer.notes.append(f"declares the CRS {json_text(declared)[:200]}, which is unknown")


def _exact(columns: _Columns, layer: Layer) -> dict[str, pa.Array]:
    exact: dict[str, pa.Array] = {}
    for name, texts in columns.days.items():
        if not all(t is None or _day(t) for t in texts):
            exact[name] = pa.array(texts, pa.string())
    for name, texts in columns.times.items():
        exact[name] = _times(texts)
    present = [i for i in columns.ids if i is not None]
    if present and "id" not in layer.schema.names:
        exact["id"] = _ids(columns.ids)
    return exact


def _day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return False
    return True


def _times(texts: list[str | None]) -> pa.Array:
    """Times as instants where all have an offset, as local times where none has, else as texts."""
    values: list[dt.datetime | None] = []
    for text in texts:
        try:
            values.append(None if text is None else _instant(text))
        except ValueError:
            return pa.array(texts, pa.string())
    aware = {v.tzinfo is not None for v in values if v is not None}
    if len(aware) > 1:
        return pa.array(texts, pa.string())
    fine = any(v.microsecond % 1000 for v in values if v is not None)
    return pa.array(
        values, pa.timestamp("us" if fine else "ms", "UTC" if aware == {True} else None)
    )


def _instant(text: str) -> dt.datetime:
    found = _TIME.match(text)
    if found is None or len(found[7] or "") > 6:
        raise ValueError(text)
    year, month, day, hour, minute = (int(found[i]) for i in range(1, 6))
    zone: dt.tzinfo | None = None
    if found[8] == "Z":
        zone = dt.UTC
    elif found[8]:
        digits = found[8][1:].replace(":", "").ljust(4, "0")
        offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        zone = dt.timezone(-offset if found[8][0] == "-" else offset)
    micro = int((found[7] or "0").ljust(6, "0"))
    return dt.datetime(year, month, day, hour, minute, int(found[6] or 0), micro, zone)


def _ids(values: list[Value]) -> pa.Array:
    whole = all(i is None or (isinstance(i, int) and not isinstance(i, bool)) for i in values)
    if whole and all(i is None or -_INT64 <= i < _INT64 for i in values):
        return pa.array(values, pa.int64())
    texts = [
        i if i is None or isinstance(i, str) else json_text(i, ascii_only=True) for i in values
    ]
    return pa.array(texts, pa.string())

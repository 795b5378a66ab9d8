"""JSON text of any value that the pipeline holds: the one place that writes JSON.

JSON has no NaN, no infinity, no bytes, no date and no lone surrogate. They are written as
PostgreSQL's ``to_jsonb`` writes them, so that a file, a report and a table agree. Reading JSON does
not belong here: each reader decides what it accepts.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Literal
from uuid import UUID

NonFinite = Literal["text", "null"]


def json_text(
    value: Any,
    *,
    indent: int | None = None,
    compact: bool = False,
    sort_keys: bool = False,
    ascii_only: bool = False,
    non_finite: NonFinite = "text",
) -> str:
    """JSON text of a value, valid UTF-8 and readable by every JSON parser.

    Args:
        value: dicts, lists, tuples, sets, dataclass-free scalars of Python, numpy and pandas.
        indent: spaces per level; one line without it.
        compact: no space after commas and colons.
        sort_keys: sort keys, so that equal values have equal texts.
        ascii_only: escape non-ASCII characters; a lone surrogate, as in a path that is not UTF-8,
            is then kept.
        non_finite: NaN and infinities as the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``,
            or as null.

    Raises:
        TypeError: a value has no JSON form; its ``repr`` is never written instead.

    """
    try:
        text = _dumped(value, indent, compact, sort_keys, ascii_only)
        if ascii_only or not _has_surrogates(text):
            return text
    except (TypeError, ValueError):
        # Rare values cost a copy, all others none.
        pass
    return _dumped(plain(value, non_finite), indent, compact, sort_keys, ascii_only)


def exact_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """JSON of a value that was read from JSON, with nothing replaced.

    It may hold lone surrogates, and infinities where a number is too large for a double.

    Args:
        value: a value as a JSON parser returns it.
        default: called with any other object.

    Raises:
        TypeError: the value contains another object, and there is no ``default``.

    """
    return json.dumps(value, ensure_ascii=False, default=default)


def plain(value: Any, non_finite: NonFinite = "text") -> Any:
    r"""A value made of dicts, lists, strings, finite numbers, booleans and None only.

    NaN and infinities are as in :func:`json_text`; decimals keep their digits as text; bytes are
    hexadecimal behind ``\x``; dates, times and durations are ISO 8601; lone surrogates are U+FFFD.

    Raises:
        TypeError: a value has no JSON form.

    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value, non_finite)
        case str():
            return _text(value)
        case int():
            return int(value)
        case float():
            return _number(float(value), non_finite)
        case Mapping():
            return {_key(k): plain(v, non_finite) for k, v in value.items()}
        case list() | tuple():
            return [plain(v, non_finite) for v in value]
        case set() | frozenset():
            return sorted((plain(v, non_finite) for v in value), key=json_text)
        case Decimal():
            return str(value) if value.is_finite() else _number(_double(value), non_finite)
        case bytes() | bytearray() | memoryview():
            return "\\x" + bytes(value).hex()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return _duration(value)
        case UUID() | PurePath():
            return _text(str(value))
    # numpy's scalars and arrays, without importing numpy.
    for unpack in ("item", "tolist"):
        if hasattr(value, unpack) and (unpack == "tolist" or getattr(value, "ndim", 1) == 0):
            return plain(getattr(value, unpack)(), non_finite)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def _dumped(
    value: Any, indent: int | None, compact: bool, sort_keys: bool, ascii_only: bool
) -> str:
    return json.dumps(
        value,
        indent=indent,
        separators=(",", ":") if compact else None,
        sort_keys=sort_keys,
        ensure_ascii=ascii_only,
        allow_nan=False,
    )


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    value = plain(key)
    return value if isinstance(value, str) else json.dumps(value)


def _number(value: float, non_finite: NonFinite) -> float | str | None:
    if math.isfinite(value):
        return value
    if non_finite == "null":
        return None
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _double(value: Decimal) -> float:
    return math.nan if value.is_nan() else float(value)


def _text(value: str) -> str:
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _has_surrogates(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _duration(value: dt.timedelta) -> str:
    isoformat = getattr(value, "isoformat", None)
    if isoformat is not None:
        # A pandas duration has nanoseconds.
        return str(isoformat())
    microseconds = value // dt.timedelta(microseconds=1)
    sign, (whole, rest) = "-" if microseconds < 0 else "", divmod(abs(microseconds), 1_000_000)
    return f"{sign}PT{whole}" + (f".{rest:06d}".rstrip("0") if rest else "") + "S"

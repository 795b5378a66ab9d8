"""Columns of a GeoJSON text: their types, found in a first pass, and their values, in a second.

A column has the narrowest type that holds what its values are. A value of another kind is kept as
JSON text in a column of texts, or named as a defect in a column of numbers or truth values.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.json_elements import TooLarge
from spatial_pipeline.runtime.json_text import exact_json

Value = Any
_EXACT = 1 << 53
_INT32, _INT64 = 1 << 31, 1 << 63
_NUMBERS = {int, float, TooLarge}
_TIME = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?"
    r"(Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_DAY = re.compile(r"\d{4}([-/])\d\d\1\d\d", re.ASCII)
_STAMP = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?"
_PLAIN = {
    "day": ((pa.date32(), r"^\d{4}-\d\d-\d\d$"),),
    "time": (
        (pa.timestamp("us", "UTC"), _STAMP + r"(Z|[+-]\d\d:\d\d)$"),
        (pa.timestamp("us"), _STAMP + "$"),
    ),
}
"""Spellings by form that Arrow parses, and the type that it gives them."""
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds since 1970 of the ends of the years 1 to 9999."""
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,3})?", re.ASCII)


@dataclass
class ColumnScan:
    """Types and ranges of the values of one column that were seen so far.

    Attributes:
        kinds: Python types that occur, but for None.
        least: least whole number.
        most: greatest whole number.
        items: types of the items of lists.
        item_most: greatest magnitude of whole numbers in lists.
        temporal: forms of days and times that all texts have, None before the first text.
        aware: whether times state an offset, as far as seen.
        fine: whether a time is finer than milliseconds.

    """

    kinds: set[type] = field(default_factory=set)
    least: int = 0
    most: int = 0
    items: set[type] = field(default_factory=set)
    item_most: int = 0
    temporal: set[str] | None = None
    aware: set[bool] = field(default_factory=set)
    fine: bool = False

    def see(self, values: Sequence[Value]) -> None:
        """Looks at values."""
        kinds = set(map(type, values))
        kinds.discard(type(None))
        self.kinds |= kinds
        if int in kinds:
            whole = values if kinds == {int} else [v for v in values if type(v) is int]
            whole = [v for v in whole if v is not None]
            self.least, self.most = min(self.least, *whole), max(self.most, *whole)
        if list in kinds:
            inner = list(chain.from_iterable(v for v in values if type(v) is list))
            self.items |= set(map(type, inner))
            whole = [abs(v) for v in inner if type(v) is int]
            self.item_most = max(self.item_most, *whole, 0)
        if str in kinds and self.temporal != set():
            self._see_texts([v for v in values if type(v) is str])

    def _see_texts(self, texts: list[str]) -> None:
        forms = set(_FORMS) if self.temporal is None else self.temporal
        self.temporal = {f for f in forms if _FORMS[f](texts[0]) is not None}
        for form in list(self.temporal):
            plain = _at_once(form, texts)
            if plain is not None:
                if form == "time":
                    self.aware.add(plain.type.tz is not None)
                    self.fine |= bool((np.asarray(plain.cast(pa.int64())) % 1000).any())
                continue
            found = [_FORMS[form](t) for t in texts]
            if None in found:
                self.temporal.discard(form)
            elif form == "time":
                times = [v for v in found if isinstance(v, dt.datetime)]
                self.aware |= {v.tzinfo is not None for v in times}
                self.fine |= any(v.microsecond % 1000 for v in times)

    @property
    def texts(self) -> bool:
        """Whether texts stand beside values of other kinds."""
        return self.kind == pa.string() and self.kinds not in (set(), {str})

    @property
    def kind(self) -> pa.DataType:
        """Type of the column as staged."""
        if self.kinds == {bool}:
            return pa.bool_()
        if self.kinds & _NUMBERS and self.kinds <= _NUMBERS | {bool}:
            if self.kinds & {float, TooLarge}:
                return pa.float64()
            narrow = self.least >= -_INT32 and self.most < _INT32
            return pa.int32() if narrow else pa.int64()
        if self.kinds == {list}:
            return self._list()
        if self.kinds == {str} and self.temporal:
            return self._temporal(self.temporal)
        return pa.string()

    def _list(self) -> pa.DataType:
        if self.items <= {str}:
            return pa.list_(pa.string())
        if self.items == {int} and self.item_most < _INT64:
            return pa.list_(pa.int32() if self.item_most < _INT32 else pa.int64())
        if self.items <= {int, float} and self.item_most <= _EXACT:
            return pa.list_(pa.float64())
        return pa.string()

    def _temporal(self, forms: set[str]) -> pa.DataType:
        if "day" in forms:
            return pa.date32()
        if "clock" in forms:
            return pa.time32("ms")
        if len(self.aware) > 1:
            return pa.string()
        unit = "us" if self.fine else "ms"
        return pa.timestamp(unit, "UTC" if self.aware == {True} else None)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text.replace("/", "-")) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _clock(text: str) -> dt.time | None:
    try:
        return dt.time.fromisoformat(text) if _CLOCK.fullmatch(text) else None
    except ValueError:
        return None


def _time(text: str) -> dt.datetime | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    zone: dt.tzinfo | None = None
    if found[8] == "Z":
        zone = dt.UTC
    elif found[8]:
        digits = found[8][1:].replace(":", "").ljust(4, "0")
        offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        if offset >= dt.timedelta(days=1) or int(digits[2:]) > 59:
            return None
        zone = dt.timezone(-offset if found[8][0] == "-" else offset)
    year, month, day, hour, minute, second = (int(found[i] or 0) for i in range(1, 7))
    micro = int((found[7] or "0").ljust(6, "0"))
    try:
        value = dt.datetime(year, month, day, hour, minute, second, micro, zone)
        return value if zone is None else value.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


_FORMS: dict[str, Callable[[str], Value]] = {"day": _day, "clock": _clock, "time": _time}


def _at_once(form: str, texts: Sequence[str | None]) -> pa.Array | None:
    """(n,) days or times of texts that all have one plain spelling; None when they do not."""
    try:
        given = pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return None
    for kind, spelling in _PLAIN.get(form, ()):
        if pc.all(pc.match_substring_regex(given, spelling)).as_py() is not True:
            continue
        with contextlib.suppress(pa.ArrowInvalid):
            found = given.cast(kind)
            # Arrow knows a year 0 and Python none beyond 9999.
            since = np.asarray(pc.fill_null(found.cast(pa.timestamp("us")).cast(pa.int64()), 0))
            if ((since >= _FIRST) & (since <= _LAST)).all():
                return found
    return None


def array(
    values: Sequence[Value], kind: pa.DataType, first: int, name: str, defects: Defects
) -> pa.Array:
    """(n,) values of a column; null, and a defect, for what its type does not hold.

    Args:
        values: decoded JSON values.
        kind: type of the column.
        first: source row of the first value.
        name: the column.
        defects: takes what cannot be kept.

    """
    if kind == pa.string():
        given = _texts(values, first, name, defects)
    elif pa.types.is_temporal(kind):
        plain = _at_once(_form_of(kind), values)
        if plain is not None:
            return plain.cast(kind)
        form = _FORMS[_form_of(kind)]
        given = [None if v is None else form(v) for v in values]
    elif pa.types.is_list(kind):
        given = list(values)
    else:
        given = _numbers(values, kind, first, name, defects)
    try:
        return pa.array(given, kind)
    except UnicodeEncodeError:
        return pa.array(_encodable(given, first, name, defects), kind)


def _form_of(kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return "day"
    return "clock" if pa.types.is_time(kind) else "time"


def _numbers(
    values: Sequence[Value], kind: pa.DataType, first: int, name: str, defects: Defects
) -> list[Value]:
    wanted: set[type] = {bool} if pa.types.is_boolean(kind) else {int}
    if pa.types.is_floating(kind):
        wanted = {float}
    kinds = set(map(type, values))
    kinds.discard(type(None))
    whole = int in kinds and pa.types.is_integer(kind)
    if kinds <= wanted and not (whole and max(abs(v) for v in values if v is not None) >= _INT64):
        return list(values)
    out = list(values)
    for i, value in enumerate(values):
        if value is not None and (reason := _misfit(value, kind)):
            out[i] = None
            text = value.text if isinstance(value, TooLarge) else exact_json(value)
            defects.add([first + i], name, [text], reason)
    return out


def _misfit(value: Value, kind: pa.DataType) -> str | None:
    """Why a column of numbers does not hold a value, None where it does."""
    if isinstance(value, bool):
        return None if pa.types.is_boolean(kind) else "is a truth value in a column of numbers"
    if isinstance(value, TooLarge):
        return "is too large for a number"
    if isinstance(value, int):
        if pa.types.is_integer(kind):
            return None if -_INT64 <= value < _INT64 else "does not fit 64 bits"
        try:
            exact = abs(value) <= _EXACT or int(float(value)) == value
        except OverflowError:
            exact = False
        return None if exact else "is not exact in a column of floating-point numbers"
    return None


def _texts(values: Sequence[Value], first: int, name: str, defects: Defects) -> list[str | None]:
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return list(values)
    out: list[str | None] = []
    for i, value in enumerate(values):
        if value is None or isinstance(value, str):
            out.append(value)
        elif isinstance(value, TooLarge):
            out.append(value.text)
        else:
            try:
                out.append(exact_json(value))
            except TypeError:
                out.append(None)
                defects.add([first + i], name, [repr(value)], "holds a number that is too large")
    return out


def _encodable(values: Iterable[Value], first: int, name: str, defects: Defects) -> list[Value]:
    """The values, without those that have a text of lone surrogates."""
    out: list[Value] = []
    for i, value in enumerate(values):
        text = "".join(v for v in value if v) if isinstance(value, list) else value or ""
        if text.isascii() or _is_text(text):
            out.append(value)
        else:
            shown = text.encode("utf-8", "backslashreplace").decode()
            defects.add([first + i], name, [shown], "is not UTF-8")
            out.append(None)
    return out


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def typed(values: Sequence[Value], name: str, otherwise: pa.DataType, defects: Defects) -> pa.Array:
    """A whole column in the type that holds its values.

    Args:
        values: (n,) one a row, as :func:`array` takes them.
        name: column, for the defects.
        otherwise: type of a column that has no value.
        defects: takes the values that are not staged.

    """
    seen = ColumnScan()
    seen.see(values)
    return array(values, seen.kind if seen.kinds else otherwise, 0, name, defects)

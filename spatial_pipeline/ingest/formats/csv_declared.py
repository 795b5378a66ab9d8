"""Types of CSV columns that a .csvt file declares (GDAL's and GeoCSV's convention).

A value that does not have its declared type fails the source. Times of day, time stamps and single
precision get the resolution, zone and width that their values need.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_types import (
    COORDINATE,
    matches,
    numbers,
    rounds,
    trimmed,
)

MAX_LISTED = 3
"""Values that an error names."""
_DAY = r"[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_INTEGER = r"^[+-]?[0-9]+$"
_REAL = rf"({COORDINATE})|(?i:^(nan|[+-]?inf(inity)?)$)"
_COMMA = r"^[+-]?[0-9]+(,[0-9]+)?$"
_STAMP = rf"^{_DAY}[T ]{_CLOCK}{_ZONE}?$"


@dataclass(frozen=True)
class Way:
    """A way to hold the values of a declared type.

    Attributes:
        kind: type as staged.
        form: regular expression (RE2) of the texts.
        convert: makes values of trimmed texts of that form; raises ValueError.

    """

    kind: pa.DataType
    form: str
    convert: Callable[[pa.Array], pa.Array]

    def fits(self, texts: pa.Array) -> bool:
        """Whether all texts are values of this kind."""
        if not matches(texts, self.form):
            return False
        try:
            self.convert(trimmed(texts))
        except ValueError:
            return False
        return True


def _cast(kind: pa.DataType, texts: pa.Array) -> pa.Array:
    return pc.utf8_ltrim(texts, "+").cast(kind)


def _real(texts: pa.Array) -> pa.Array:
    """Doubles.

    Raises:
        ValueError: a number is too large for one.

    """
    found = numbers(texts)
    infinite = pc.fill_null(pc.is_inf(found), False)
    if pc.any(pc.invert(pc.match_substring(texts.filter(infinite), "n", ignore_case=True))).as_py():
        msg = "a number is too large"
        raise ValueError(msg)
    return found


def _single(texts: pa.Array) -> pa.Array:
    """Values of 32 bits.

    Raises:
        ValueError: a text has digits that they do not hold.

    """
    doubles = _real(texts)
    singles = doubles.cast(pa.float32(), safe=False)
    plain = pc.replace_substring(texts, ",", ".").to_pylist()
    for text, double, single in zip(plain, doubles.to_pylist(), singles.to_pylist(), strict=True):
        if text is None or not np.isfinite(double):
            continue
        if not np.isfinite(single) or not rounds(text, single):
            msg = f"{text} needs more than 32 bits"
            raise ValueError(msg)
    return singles


def _truth(texts: pa.Array) -> pa.Array:
    found = pc.is_in(pc.utf8_lower(texts), pa.array(["1", "true"]))
    return pc.if_else(texts.is_valid(), found, None)


def _day(texts: pa.Array) -> pa.Array:
    return pc.replace_substring(texts, "/", "-").cast(pa.date32())


def _clock(kind: pa.DataType, texts: pa.Array) -> pa.Array:
    whole = pc.binary_join_element_wise("1970-01-01", texts, "T")
    return whole.cast(pa.timestamp("us")).cast(pa.time64("us")).cast(kind)


def _stamp(kind: pa.DataType, texts: pa.Array) -> pa.Array:
    return pc.replace_substring(texts, "/", "-").cast(kind)


def _any_stamp(texts: pa.Array) -> pa.Array:
    """The texts, once each is known to be a time stamp with or without a zone."""
    zoned = pc.fill_null(pc.match_substring_regex(texts, f"{_CLOCK}{_ZONE}$"), False)
    _stamp(pa.timestamp("us", "UTC"), texts.filter(zoned))
    _stamp(pa.timestamp("us"), texts.filter(pc.invert(zoned)))
    return texts


def _list(kind: pa.DataType, texts: pa.Array) -> pa.Array:
    """JSON lists of one type.

    Raises:
        ValueError: a text is none.

    """
    found = [None if t is None else json.loads(t) for t in texts.to_pylist()]
    python = str if pa.types.is_string(kind) else int if pa.types.is_integer(kind) else int | float
    for element in (e for elements in found for e in elements or ()):
        if isinstance(element, bool) or not isinstance(element, python | None):
            msg = f"{element!r} is not of type {kind}"
            raise ValueError(msg)  # noqa: TRY004 (the value is wrong, not the caller)
    return pa.array(found, pa.list_(kind))


def _lists(kind: pa.DataType) -> tuple[Way, ...]:
    return (Way(pa.list_(kind), r"(?s)^\[.*\]$", partial(_list, kind)),)


def _integers(kind: pa.DataType) -> tuple[Way, ...]:
    return (Way(kind, _INTEGER, partial(_cast, kind)),)


_REALS = (Way(pa.float64(), _REAL, _real), Way(pa.float64(), _COMMA, _real))
"""With decimal points, or with decimal commas: a column with both may separate thousands."""
_TEXTS = (Way(pa.string(), "", lambda texts: texts),)
WAYS: dict[str, tuple[Way, ...]] = {
    "string": _TEXTS,
    "wkt": _TEXTS,
    "integer": _integers(pa.int32()),
    "integer(int16)": _integers(pa.int16()),
    "integer(boolean)": (Way(pa.bool_(), r"(?i:^([01]|true|false)$)", _truth),),
    "integer64": _integers(pa.int64()),
    "real": _REALS,
    "real(float32)": (Way(pa.float32(), _REAL, _single), *_REALS),
    "date": (Way(pa.date32(), f"^{_DAY}$", _day),),
    "time": tuple(
        Way(kind, f"^{_CLOCK}$", partial(_clock, kind))
        for kind in (pa.time32("ms"), pa.time64("us"))
    ),
    "datetime": (
        Way(pa.timestamp("us"), f"^{_DAY}[T ]{_CLOCK}$", partial(_stamp, pa.timestamp("us"))),
        Way(
            pa.timestamp("us", "UTC"),
            f"^{_DAY}[T ]{_CLOCK}{_ZONE}$",
            partial(_stamp, pa.timestamp("us", "UTC")),
        ),
        Way(pa.string(), _STAMP, _any_stamp),
    ),
    "jsonstringlist": _lists(pa.string()),
    "jsonintegerlist": _lists(pa.int32()),
    "jsoninteger64list": _lists(pa.int64()),
    "jsonreallist": _lists(pa.float64()),
    **dict.fromkeys(("coordx", "coordy", "coordz", "point(x)", "point(y)", "point(z)"), _REALS),
}
"""Ways to hold the values of a declared type, the narrowest first; names in lower case."""
ROLES = {
    "wkt": "wkt", "coordx": "x", "coordy": "y", "coordz": "z", "point(x)": "x", "point(y)": "y",
    "point(z)": "z",
}  # fmt: skip
"""Types that say where the geometry is."""


@dataclass
class DeclaredColumn:
    """The type of one column, narrowed by the values seen so far.

    Attributes:
        name: name of the column.
        declared: type as the .csvt file names it.

    """

    name: str
    declared: str
    _ways: tuple[Way, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._ways = WAYS[self.declared.casefold()]

    @property
    def kind(self) -> pa.DataType:
        """The type as staged."""
        return self._ways[0].kind

    def see(self, texts: pa.Array, first: int) -> None:
        """Drops ways that do not hold the texts.

        Args:
            texts: (n,) text, null where a field is empty.
            first: row of the first one.

        Raises:
            SourceError: no way is left.

        """
        left = tuple(way for way in self._ways if way.fits(texts))
        if left:
            self._ways = left
            return
        wrong = [
            f"row {first + i}: {t!r}"
            for i, t in enumerate(texts.to_pylist())
            if t is not None
            and not any(w.fits(pa.array([t])) for w in WAYS[self.declared.casefold()])
        ]
        listed = ", ".join(wrong[:MAX_LISTED]) + (", …" if len(wrong) > MAX_LISTED else "")
        msg = (
            "a value does not have the type that the .csvt file gives it: column "
            f"{self.name!r} is {self.declared}, {listed or 'values need different types'}"
        )
        raise SourceError(msg)

    def convert(self, texts: pa.Array) -> pa.Array:
        """Texts that were seen as values of ``kind``."""
        if pa.types.is_string(self.kind):
            return texts
        return self._ways[0].convert(trimmed(texts))


def declared_types(file: Path, columns: int, notes: list[str]) -> list[str]:
    """The type of each column that a .csvt file declares, without widths.

    Args:
        file: the .csvt file.
        columns: number of columns of the table.
        notes: grows by what is odd.

    Raises:
        SourceError: the file cannot be read.

    """
    try:
        text = file.read_bytes().decode("utf-8-sig", "replace")
    except OSError as exc:
        raise SourceError(exc.strerror or str(exc)) from exc
    given = [t.strip() for t in next(csv.reader(text.splitlines()[:1], skipinitialspace=True), [])]
    if len(given) != columns:
        notes.append(f"the .csvt file names {len(given)} types, there are {columns} columns")
    found = []
    for name in given[:columns]:
        plain = re.sub(r"\s*\([0-9]+(\.[0-9]+)?\)$", "", name)
        if plain.casefold() not in WAYS:
            notes.append(f"the .csvt file names an unknown type {name!r}, read as text")
            plain = "String"
        found.append(plain)
    return found + ["String"] * (columns - len(found))


def roles(types: Sequence[str]) -> dict[str, int]:
    """Columns that hold the geometry by their declared types: role and first such column."""
    found: dict[str, int] = {}
    for i, name in enumerate(types):
        role = ROLES.get(name.casefold())
        if role is not None:
            found.setdefault(role, i)
    return found

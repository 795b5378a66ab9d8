"""Random tables over all types that can be staged, and what PostgreSQL is to show of them.

The oracle writes every value as text that PostgreSQL reads, from the numbers that Arrow stores; it
shares no code with the encoder.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

UNITS = {"s": 10**6, "ms": 10**3, "us": 1}
DATES = (-2_451_545 + 10_957, 2_145_031_948 + 10_957)
STAMPS = (-211_813_488_000_000_000 + 946_684_800_000_000, 2**63 - 1)
"""Days and microseconds from 1970 that PostgreSQL holds."""


@dataclass(frozen=True)
class Kind:
    """A type of column.

    Attributes:
        type: in Arrow.
        values: the numbers, texts or objects that Arrow makes its values of.
        text: how PostgreSQL reads a value; None when it cannot hold it.

    """

    type: pa.DataType
    values: st.SearchStrategy[Any]
    text: Callable[[Any], str | None] = str

    def array(self, values: list[Any]) -> pa.Array:
        """The column; temporal types are made of integers."""
        kind = self.type
        if not pa.types.is_temporal(kind):
            return pa.array(values, kind)
        short = pa.types.is_date32(kind) or pa.types.is_time32(kind)
        return pa.array(values, pa.int32() if short else pa.int64()).cast(kind)


def near(*edges: int) -> st.SearchStrategy[int]:
    """Integers of 64 bits, those beside some edges more often."""
    beside = st.sampled_from(edges).flatmap(lambda e: st.integers(e - 2, e + 2))
    return (beside | st.integers(-(2**63), 2**63 - 1)).filter(lambda n: -(2**63) <= n < 2**63)


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    """Integers of a type, its ends more often."""
    return st.integers(low, high) | st.sampled_from([low, high, 0])


def date_text(days: int) -> str | None:
    """A date as PostgreSQL reads it, years before 1 with BC."""
    if not DATES[0] <= days <= DATES[1]:
        return None
    day = np.datetime64(days, "D")
    year = int(day.astype("datetime64[Y]").astype(int)) + 1970
    month = int(day.astype("datetime64[M]").astype(int)) % 12 + 1
    of_month = int((day - day.astype("datetime64[M]")).astype(int)) + 1
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{of_month:02d}" + (
        "" if year > 0 else " BC"
    )


def stamp_text(micros: int, zone: str = "") -> str | None:
    """A timestamp as PostgreSQL reads it."""
    if not STAMPS[0] <= micros <= STAMPS[1]:
        return None
    days, rest = divmod(micros, 86_400_000_000)
    day, *bc = (date_text(days) or "").split(" ")
    return " ".join([day, clock_text(rest) + zone, *bc])


def clock_text(micros: int) -> str:
    """A time of day as PostgreSQL reads it."""
    seconds, rest = divmod(micros, 10**6)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:06d}"


def float_text(value: float, width: int = 8) -> str:
    """The shortest text of a float of 4 or 8 bytes that is read as the same."""
    if not np.isfinite(value):
        return str(value)
    return str(np.float32(value)) if width == 4 else repr(float(value))


def json_value(value: Any) -> Any:
    """A nested value as ``to_jsonb`` writes it."""
    match value:
        case dict():
            return {k: json_value(v) for k, v in value.items()}
        case list() | tuple():
            return [json_value(v) for v in value]
        case bytes():
            return "\\x" + value.hex()
        case Decimal():
            return f"{value:f}"
        case float() if not np.isfinite(value):
            return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def stamps(unit: str, zone: str | None) -> Kind:
    """Timestamps of a unit."""
    ticks = UNITS[unit]
    edges = [e // ticks for e in STAMPS]
    made = near(*edges, 0, -62_135_596_800 * 10**6 // ticks)
    return Kind(
        pa.timestamp(unit, zone),
        # Parquet has no seconds: they become milliseconds.
        made.filter(lambda n: unit != "s" or abs(n) < 2**63 // 1000),
        lambda n: stamp_text(n * ticks, "" if zone is None else "+00"),
    )


def whole(text: Callable[[int], str | None]) -> Callable[[int], str | None]:
    """The text of nanoseconds, None when they are no whole microseconds."""
    return lambda n: None if n % 1000 else text(n // 1000)


def decimals(precision: int, scale: int) -> Kind:
    """Decimals, those with all digits more often."""
    most = 10**precision - 1
    made = integers(-most, most).map(lambda n: Decimal(n).scaleb(-scale, WIDE))
    factory = pa.decimal128 if precision <= 38 else pa.decimal256
    return Kind(factory(precision, scale), made, lambda d: f"{d:f}")


WIDE = Context(prec=100)
"""Digits enough for every decimal of Arrow."""
texts = st.text(max_size=6) | st.sampled_from(["", "\0", "a\0b", "\\N", "\U0010ffff", "é\t\n'\"\\"])
scalars = [
    Kind(pa.bool_(), st.booleans(), lambda b: "true" if b else "false"),
    *(Kind(getattr(pa, f"int{b}")(), integers(-(2 ** (b - 1)), 2 ** (b - 1) - 1))
      for b in (8, 16, 32, 64)),
    *(Kind(getattr(pa, f"uint{b}")(), integers(0, 2**b - 1)) for b in (8, 16, 32)),
    Kind(pa.uint64(), integers(0, 2**64 - 1) | st.integers(0, 2**63 - 1),
         lambda n: str(n) if n < 2**63 else None),
    Kind(pa.float16(), st.floats(width=16).map(np.float16), lambda f: float_text(f, 4)),
    Kind(pa.float32(), st.floats(width=32), lambda f: float_text(f, 4)),
    Kind(pa.float64(), st.floats(), float_text),
    *(Kind(k, texts, lambda t: None if "\0" in t else t) for k in (pa.string(), pa.large_string())),
    *(Kind(k, st.binary(max_size=6), lambda b: "\\x" + b.hex())
      for k in (pa.binary(), pa.large_binary())),
    Kind(pa.binary(3), st.binary(min_size=3, max_size=3), lambda b: "\\x" + b.hex()),
    Kind(pa.date32(), (near(*DATES, 0, -719_528).filter(lambda n: abs(n) < 2**31)), date_text),
    Kind(pa.date64(), st.integers(-800_000, 3_000_000).map(lambda d: d * 86_400_000),
         lambda n: date_text(n // 86_400_000)),
    *(stamps(unit, zone) for unit in UNITS for zone in (None, "UTC", "Asia/Kathmandu")),
    Kind(pa.timestamp("ns"), near(0, 1000, 10**18), whole(stamp_text)),
    Kind(pa.timestamp("ns", "UTC"), near(0, 1000, 10**18).map(lambda n: n // 1000 * 1000)
         .filter(lambda n: n >= -(2**63)), whole(lambda n: stamp_text(n, "+00"))),
    Kind(pa.time32("s"), integers(0, 86_399), lambda n: clock_text(n * 10**6)),
    Kind(pa.time32("ms"), integers(0, 86_399_999), lambda n: clock_text(n * 10**3)),
    Kind(pa.time64("us"), integers(0, 86_399_999_999), clock_text),
    Kind(pa.time64("ns"), integers(0, 86_399_999_999_999), whole(clock_text)),
    *(Kind(pa.duration(u), st.integers(-(2**40), 2**40), lambda n, t=t: f"{n * t} microseconds")
      for u, t in UNITS.items()),
    Kind(pa.duration("ns"), st.integers(-(2**40), 2**40),
         whole(lambda n: f"{n} microseconds")),
    *(decimals(p, s) for p, s in [(1, 0), (5, 5), (12, 3), (38, 0), (38, 37), (76, 38), (60, 1)]),
    Kind(pa.null(), st.none()),
]  # fmt: skip
inner = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)), (pa.float64(), st.floats()),
    (pa.string(), texts), (pa.binary(), st.binary(max_size=3)), (pa.bool_(), st.booleans()),
    (pa.decimal128(20, 3), st.integers(-(10**19), 10**19).map(lambda n: Decimal(n).scaleb(-3))),
]  # fmt: skip


def document(value: Any) -> str:
    """Marks JSON, which is compared as a value."""
    return json.dumps(json_value(value), sort_keys=True, ensure_ascii=True)


def nested(kind: pa.DataType, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Kind]:
    """Lists, structs and maps of a type."""
    some = st.none() | values
    return st.sampled_from(
        [
            Kind(pa.list_(kind), st.lists(some, max_size=3), document),
            Kind(pa.large_list(kind), st.lists(some, max_size=3), document),
            Kind(
                pa.struct([("é", kind), ("b", pa.list_(kind))]),
                st.fixed_dictionaries({"é": some, "b": st.lists(some, max_size=2)}),
                document,
            ),
            Kind(
                pa.map_(pa.int32(), kind),
                st.lists(st.tuples(st.integers(0, 9), some), max_size=2, unique_by=lambda p: p[0]),
                document,
            ),
        ]
    )


kinds = st.sampled_from(scalars) | st.sampled_from(inner).flatmap(lambda k: nested(*k))
numbers = st.floats(-1e9, 1e9) | st.sampled_from([0.0, -0.0, 0.1, 1e300, -1e-300])
DIMENSIONS = {"": 2, "Z": 3, "M": 3, "ZM": 4}
_CODES = {"": 0, "Z": 1000, "M": 2000, "ZM": 3000}
_PARTS = {4: 1, 5: 2, 6: 3}
"""WKB code of the parts of each Multi type."""


@st.composite
def wkb(draw: Any, code: int, dimensions: str) -> bytes:
    """A geometry of one of the seven types, now and then empty, as ISO WKB."""
    size = DIMENSIONS[dimensions]
    head = struct.pack("<BI", 1, code + _CODES[dimensions])
    empty = draw(st.integers(0, 4)) == 0

    def vertices(count: int) -> bytes:
        values = draw(st.lists(numbers, min_size=count * size, max_size=count * size))
        return struct.pack(f"<{count * size}d", *values)

    if code == 1:
        return head + (struct.pack(f"<{size}d", *[np.nan] * size) if empty else vertices(1))
    if empty:
        return head + struct.pack("<I", 0)
    if code == 2:
        count = draw(st.integers(2, 4))
        return head + struct.pack("<I", count) + vertices(count)
    if code == 3:
        rings = []
        for _ in range(draw(st.integers(1, 2))):
            count = draw(st.integers(3, 4))
            ring = vertices(count)
            rings.append(struct.pack("<I", count + 1) + ring + ring[: 8 * size])
        return head + struct.pack("<I", len(rings)) + b"".join(rings)
    codes = [_PARTS[code]] if code in _PARTS else [1, 2, 3, 6]
    parts = draw(
        st.lists(
            st.sampled_from(codes).flatmap(lambda c: wkb(c, dimensions)), min_size=1, max_size=2
        )
    )
    return head + struct.pack("<I", len(parts)) + b"".join(parts)


@st.composite
def geometries(draw: Any, count: int) -> list[bytes | None]:
    """Geometries of one layer: of one type, of a type and its Multi type, or of any."""
    codes = draw(
        st.sampled_from(
            [[c] for c in range(1, 8)] + [[1, 4], [2, 5], [3, 6], [1, 3], [*range(1, 8)]]
        )
    )
    names = draw(st.sampled_from([[d] for d in DIMENSIONS] + [["", "Z"]]))
    made = st.tuples(st.sampled_from(codes), st.sampled_from(names)).flatmap(lambda k: wkb(*k))
    whole_null = draw(st.integers(0, 9)) == 0
    one = st.none() if whole_null else st.none() | made
    return draw(st.lists(one, min_size=count, max_size=count))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class RandomTable:
    """A table with its geometries.

    Attributes:
        kinds: of the columns.
        values: rows of each column.
        wkb: geometries; None for a table without geometry.

    """

    kinds: list[Kind]
    values: list[list[Any]]
    wkb: list[bytes | None] | None

    @property
    def texts(self) -> list[list[str | None]]:
        """Columns as PostgreSQL reads them; for a value that it cannot hold see :attr:`lost`."""
        return [
            [None if v is None else k.text(v) for v in values]
            for k, values in zip(self.kinds, self.values, strict=True)
        ]

    @property
    def lost(self) -> list[str]:
        """Columns with a value that PostgreSQL cannot hold."""
        return [
            f"c{i}"
            for i, (texts_, values) in enumerate(zip(self.texts, self.values, strict=True))
            if any(t is None and v is not None for t, v in zip(texts_, values, strict=True))
        ]


@st.composite
def tables(draw: Any) -> RandomTable:
    """Tables of no row to six, of one column to ten."""
    count = draw(st.integers(0, 6))
    of = draw(st.lists(kinds, min_size=1, max_size=10))

    def column(kind: Kind) -> st.SearchStrategy[list[Any]]:
        nulls = st.lists(st.none(), min_size=count, max_size=count)
        filled = st.lists(st.none() | kind.values, min_size=count, max_size=count)
        return st.integers(0, 9).flatmap(lambda n: filled if n else nulls)

    shapes = draw(st.none() | geometries(count))
    return RandomTable(of, [draw(column(k)) for k in of], shapes)

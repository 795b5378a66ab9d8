"""Summarises the columns of a staged version in one pass, in memory that does not grow with it."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.join.group_statistics import WORD, value_sum
from spatial_pipeline.contract.rules.metadata import ColumnType
from spatial_pipeline.model.arrow_json import json_values

FEW = 12
"""Distinct values up to which a column may hold codes."""
RARE = 5
"""Occurrences of a code on average, at least: fewer are no codes but values."""
MAX_SHAPES = 8
"""Shapes of text (digits, letters, other characters) that make a pattern."""
MAX_COMBINATIONS = 24
REPEATED = 0.05
"""Share of repeated values in a batch beyond which a column is no key, not even nearly."""
SAMPLED = 50
"""Rows whose texts are tried as a concatenation of others."""


@dataclass
class ColumnSummary:
    """Summary of the values of one column.

    Attributes:
        name: its name.
        kind: type as the rule ``columns`` names it.
        rows: number of features.
        nulls: number of nulls.
        least: smallest value; None without one, and for types that have no order here.
        most: largest value.
        values: occurrences of each value; None when there are more than ``FEW``.
        shapes: longest runs of each shape of a text, such as ``9A`` of 12bcd; None for too many.
        fraction: digits after the point, at most 15; None for integers and text.
        checksum: see ``value_sum``.
        repeated: number of values that occur again within a batch.
        odd: True when some number is NaN or infinite.

    """

    name: str
    kind: ColumnType
    rows: int = 0
    nulls: int = 0
    least: Any = None
    most: Any = None
    values: Counter[Any] | None = field(default_factory=Counter)
    shapes: dict[str, list[tuple[int, int]]] | None = field(default_factory=dict)
    fraction: int | None = None
    checksum: int = 0
    repeated: int = 0
    odd: bool = False

    @property
    def full(self) -> bool:
        """True without nulls, and with a row."""
        return self.rows > 0 and not self.nulls

    @property
    def present(self) -> int:
        """Values that are not null."""
        return self.rows - self.nulls

    @property
    def coded(self) -> bool:
        """True when the values are few, and each occurs several times."""
        if self.kind not in ("string", "integer") or not self.values:
            return False
        return self.present >= RARE * len(self.values)

    @property
    def nearly_a_key(self) -> bool:
        """True when few values, or none, occur twice in a batch."""
        fitting = self.kind in ("string", "integer") and self.present > 0
        return fitting and self.repeated <= REPEATED * self.present

    @property
    def checksum_text(self) -> str:
        """The checksum as the rule ``column_statistics`` takes it."""
        return f"{self.checksum % WORD:016x}"

    @property
    def pattern(self) -> str | None:
        """Regular expression of the shapes of all texts; None when it would say nothing."""
        if not self.shapes:
            return None
        patterns = sorted(_pattern(shape, runs) for shape, runs in self.shapes.items())
        return patterns[0] if len(patterns) == 1 else f"({'|'.join(patterns)})"

    def add(self, column: pa.ChunkedArray) -> None:
        """Takes the values of a batch."""
        self.rows += len(column)
        self.nulls += column.null_count
        self.checksum += value_sum(column)
        there = column.drop_null()
        if not len(there):
            return
        distinct = None
        if self.kind in ("string", "integer", "boolean"):
            distinct = pc.value_counts(there.combine_chunks())
            self.repeated += len(there) - len(distinct)
            self._count(distinct)
        if self.kind == "string":
            self._shape(distinct)
        if self.kind in ("integer", "number", "date", "datetime"):
            self._bound(there)

    def _count(self, distinct: pa.Array) -> None:
        if self.values is None:
            return
        if len(distinct) > FEW:
            self.values = None
            return
        names = json_values(pa.chunked_array([distinct.field("values")]))
        counts = distinct.field("counts").to_pylist()
        for value, count in zip(names, counts, strict=True):
            self.values[value] += count
        if len(self.values) > FEW:
            self.values = None

    def _shape(self, distinct: pa.Array) -> None:
        if self.shapes is None:
            return
        texts = distinct.field("values").to_pylist()
        for text in texts:
            runs = _runs(text)
            if runs is None:
                self.shapes = None
                return
            shape = "".join(kind for kind, _ in runs)
            known = self.shapes.get(shape)
            sizes = [size for _, size in runs]
            if known is None:
                self.shapes[shape] = [(n, n) for n in sizes]
            else:
                self.shapes[shape] = [
                    (min(low, n), max(high, n)) for (low, high), n in zip(known, sizes, strict=True)
                ]
            if len(self.shapes) > MAX_SHAPES:
                self.shapes = None
                return

    def _bound(self, there: pa.ChunkedArray) -> None:
        if pa.types.is_decimal(there.type):
            there = there.cast(pa.float64())
        if pa.types.is_floating(there.type):
            numbers = there.cast(pa.float64()).to_numpy()
            finite = np.isfinite(numbers)
            self.odd |= not finite.all()
            if not finite.any():
                return
            self.fraction = max(self.fraction or 0, _decimals(numbers[finite]))
            there = pa.chunked_array([pa.array(numbers[finite])])
        ends = pc.min_max(there)
        pair = pa.array([ends["min"].as_py(), ends["max"].as_py()], there.type)
        least, most = json_values(pair)
        if isinstance(least, str):
            least, most = str.__str__(least), str.__str__(most)
        self.least = least if self.least is None else min(self.least, least)
        self.most = most if self.most is None else max(self.most, most)


@dataclass
class Combinations:
    """Values that occur together in two columns of codes.

    Attributes:
        columns: names of the two.
        found: occurrences of each pair; None when there are too many.

    """

    columns: tuple[str, str]
    found: Counter[tuple[Any, ...]] | None = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """Takes the rows of a batch."""
        if self.found is None:
            return
        groups = table.select(list(self.columns)).group_by(list(self.columns))
        counted = groups.aggregate([([], "count_all")])
        values = [json_values(counted.column(c)) for c in self.columns]
        counts = counted.column("count_all").to_pylist()
        for pair, count in zip(zip(*values, strict=True), counts, strict=True):
            self.found[pair] += count
        if len(self.found) > MAX_COMBINATIONS:
            self.found = None


def concatenations(table: pa.Table, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Text columns that are two others one after the other: (whole, first, second).

    Args:
        table: rows; the first of them decide.
        names: text columns to look at.

    """
    sample = table.slice(0, SAMPLED)
    texts = {name: sample.column(name).to_pylist() for name in names}
    full = {n: v for n, v in texts.items() if all(v) and len(set(v)) > 1}
    some = {n: v for n, v in texts.items() if all(v)}
    found = []
    for whole, values in full.items():
        for first, second in itertools.permutations([n for n in some if n != whole], 2):
            parts = zip(values, some[first], some[second], strict=True)
            if all(v == a + b for v, a, b in parts):
                found.append((whole, first, second))
                break
    return found


def _runs(text: str) -> list[tuple[str, int]] | None:
    """Runs of digits (9), capitals (A), small letters (a) and other characters (themselves).

    None for text without a shape worth a pattern: long, or with spaces or letters beyond ASCII.
    """
    if not text or len(text) > 40 or not re.fullmatch(r"[A-Za-z0-9._/:#-]+", text):
        return None
    kinds = ("9" if c.isdigit() else "A" if c.isupper() else "a" if c.islower() else c
             for c in text)  # fmt: skip
    return [(kind, len(list(run))) for kind, run in itertools.groupby(kinds)]


def _pattern(shape: str, runs: Sequence[tuple[int, int]]) -> str:
    classes = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
    parts = []
    for kind, (low, high) in zip(shape, runs, strict=True):
        one = classes.get(kind) or re.escape(kind)
        many = "" if (low, high) == (1, 1) else f"{{{low}}}" if low == high else f"{{{low},{high}}}"
        parts.append(one + many)
    return "".join(parts)


def _decimals(values: Any) -> int:
    """Digits after the point that the numbers need, at most 15."""
    for digits in range(15):
        if (np.round(values, digits) == values).all():
            return digits
    return 15


__all__ = ["ColumnSummary", "Combinations", "concatenations"]

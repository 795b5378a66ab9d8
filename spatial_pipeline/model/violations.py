"""Violations of one rule as arrays, and the outcome of evaluating it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray

SAMPLE_SIZE = 20
"""Violations included in a result; all of them are in the violation layer."""


@dataclass(frozen=True, repr=False)
class Violations:
    """Violations as a structure of arrays, all of length n.

    Attributes:
        rows: (n, k) int64 source rows of the features involved, padded with -1.
        reasons: (n,) object array of str.
        geometry: (n,) object array: the defect itself in the CRS of the dataset, None when it has
            no place.
        measure: (n,) float64 size of the defect, NaN when it has none.
        unit: unit of ``measure``.
        part: (n,) int32 0-based part of a multi-geometry, -1 when not applicable.
        ring: (n,) int32 ring of a polygon (0 is the shell), -1 when not applicable.
        vertex: (n,) int32 vertex in the ring or line, -1 when not applicable.
        keys: (n,) object array of tuples of key tuples, when the features involved have no row in
            the staged version (those of another dataset); None to look keys up by ``rows``.

    """

    rows: NDArray[np.int64]
    reasons: NDArray[np.object_]
    geometry: NDArray[np.object_]
    measure: NDArray[np.float64]
    unit: str
    part: NDArray[np.int32]
    ring: NDArray[np.int32]
    vertex: NDArray[np.int32]
    keys: NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.reasons)

    def __repr__(self) -> str:
        """Short: asyncio and the signal module format the result of a task."""
        return f"<{len(self)} violations>"

    @classmethod
    def build(
        cls,
        rows: Any,
        reasons: Any,
        geometry: Any = None,
        measure: Any = np.nan,
        unit: str = "",
        part: Any = -1,
        ring: Any = -1,
        vertex: Any = -1,
        keys: Sequence[tuple[tuple[Any, ...], ...]] | None = None,
    ) -> Self:
        """Violations from arrays or scalars, broadcast to the length of ``rows``.

        Args:
            rows: (n,) or (n, k) source rows; -1 means none.
            reasons: one str or (n,) of them.
            geometry: one geometry, None, or (n,) of them.
            measure: one float or (n,) of them.
            unit: unit of ``measure``.
            part: one int or (n,) of them.
            ring: one int or (n,) of them.
            vertex: one int or (n,) of them.
            keys: n tuples of key tuples, see the class.

        """
        row_array = np.asarray(rows, dtype=np.int64)
        if row_array.ndim == 1:
            row_array = row_array[:, np.newaxis]
        n = len(row_array)
        key_array = None
        if keys is not None:
            key_array = np.empty(n, dtype=object)
            for i, key in enumerate(keys):
                key_array[i] = key
        return cls(
            rows=row_array,
            reasons=_objects(reasons, n),
            geometry=_objects(geometry, n),
            measure=np.broadcast_to(np.asarray(measure, dtype=np.float64), n).copy(),
            unit=unit,
            part=np.broadcast_to(np.asarray(part, dtype=np.int32), n).copy(),
            ring=np.broadcast_to(np.asarray(ring, dtype=np.int32), n).copy(),
            vertex=np.broadcast_to(np.asarray(vertex, dtype=np.int32), n).copy(),
            keys=key_array,
        )

    @classmethod
    @cache
    def none(cls) -> Self:
        """No violations; one shared instance, as most pieces have none."""
        return cls.build(np.empty((0, 1), dtype=np.int64), "")

    @classmethod
    def concat(cls, parts: Iterable[Violations]) -> Violations:
        """All parts in one, in the order given; rows are padded to the widest part."""
        filled = [p for p in parts if len(p)]
        if not filled:
            return cls.none()
        if len(filled) == 1:
            return filled[0]
        width = max(p.rows.shape[1] for p in filled)
        rows = np.concatenate(
            [
                np.pad(p.rows, ((0, 0), (0, width - p.rows.shape[1])), constant_values=-1)
                for p in filled
            ]
        )
        keys = None
        if any(p.keys is not None for p in filled):
            keys = np.concatenate(
                [p.keys if p.keys is not None else np.full(len(p), None, object) for p in filled]
            )
        return cls(
            rows=rows,
            reasons=np.concatenate([p.reasons for p in filled]),
            geometry=np.concatenate([p.geometry for p in filled]),
            measure=np.concatenate([p.measure for p in filled]),
            unit=next((p.unit for p in filled if p.unit), ""),
            part=np.concatenate([p.part for p in filled]),
            ring=np.concatenate([p.ring for p in filled]),
            vertex=np.concatenate([p.vertex for p in filled]),
            keys=keys,
        )

    def take(self, index: Any) -> Violations:
        """The violations at ``index`` (integers or a boolean mask)."""
        return dataclasses.replace(
            self,
            rows=self.rows[index],
            reasons=self.reasons[index],
            geometry=self.geometry[index],
            measure=self.measure[index],
            part=self.part[index],
            ring=self.ring[index],
            vertex=self.vertex[index],
            keys=None if self.keys is None else self.keys[index],
        )

    def sorted(self) -> Violations:
        """In canonical order: rows, part, ring, vertex, place, reason.

        The order does not depend on the partitioning of the data into pieces.
        """
        return self if len(self) < 2 else self.take(self.order())

    def order(self) -> NDArray[np.int64]:
        """(n,) int64 index that puts the violations in canonical order; a stable sort.

        The rows lead, and hardly any two violations have the same: only those that do are compared
        by all the rest, most of which is text.
        """
        order = np.lexsort(self.rows.T[::-1])
        rows = self.rows[order]
        same = (rows[1:] == rows[:-1]).all(axis=1)
        tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        if len(tied):
            some = order[tied]
            order[tied] = some[_whole_order(self.take(some))]
        return order


def _whole_order(found: Violations) -> NDArray[np.int64]:
    """(n,) int64: the canonical order by all columns."""
    points = np.asarray([None if g is None or g.is_empty else g for g in found.geometry], object)
    bounds = shapely.bounds(points)
    reasons = np.unique(found.reasons.astype(str), return_inverse=True)[1]
    keys = (
        [np.unique([str(k) for k in found.keys], return_inverse=True)[1]]
        if found.keys is not None
        else []
    )
    columns = [
        *(found.rows[:, i] for i in range(found.rows.shape[1])),
        *keys,
        found.part,
        found.ring,
        found.vertex,
        *(bounds[:, i] for i in range(4)),
        reasons,
        found.measure,
    ]
    return np.lexsort(columns[::-1])


@dataclass(frozen=True)
class RuleOutcome:
    """The conclusion of a rule about a whole version.

    Attributes:
        checked: number of features, pixels, records or properties checked.
        violations: located violations.
        count: number of violations when it differs from ``len(violations)`` (a region of 10
            pixels is one row of ``violations`` and 10 violations).
        passed: set by rules that evaluate one number; None lets ``max_violations`` decide.
        value: measured value; None means the number of violations.
        threshold: bound for ``value``; None means ``max_violations``.
        message: one sentence for people; empty lets the engine compose one.
        notes: parts that could not be checked, and other remarks.

    """

    checked: int
    violations: Violations = field(default_factory=Violations.none)
    count: int | None = None
    passed: bool | None = None
    value: float | None = None
    threshold: float | None = None
    message: str = ""
    notes: tuple[str, ...] = ()


def _objects(value: Any, n: int) -> NDArray[np.object_]:
    if isinstance(value, np.ndarray) and value.dtype == object and value.shape == (n,):
        return value
    out = np.empty(n, dtype=object)
    if isinstance(value, (list, tuple, np.ndarray)):
        if len(value) != n:
            msg = f"{len(value)} values for {n} violations"
            raise ValueError(msg)
        for i, item in enumerate(value):
            out[i] = item
    else:
        out[:] = value
    return out

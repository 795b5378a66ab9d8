"""Violations beyond the memory limit: sorted runs in files, read back in canonical order.

The runs are merged by ranges of the first row: each range is small enough to sort in memory, and
the ranges follow each other in canonical order, because the first row is its leading key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.violations import RuleOutcome, Violations

A_FINDING = 600
"""Bytes of a violation in memory beside its coordinates: objects of its reason, place and keys."""
AT_ONCE = 16_384
"""Maximum number of violations read back at once, approximately."""


class ViolationRun(Protocol):
    """Violations in a file, in canonical order, in blocks of one size except for the last."""

    @property
    def first(self) -> NDArray[np.int64]:
        """(b,) int64 ascending: the first row of the first violation of each block."""
        ...

    @property
    def block(self) -> int:
        """Violations per block."""
        ...

    def __len__(self) -> int:
        """Number of violations."""
        ...

    def read(self, low: int | None, high: int | None) -> tuple[Violations, NDArray[np.int64]]:
        """The violations whose first row is in [low, high), and the pieces they come from.

        Args:
            low: None means no lower bound.
            high: None means no upper bound.

        """
        ...


class ViolationSink(Protocol):
    """Moves violations out of memory into files.

    Attributes:
        limit: bytes of violations that may stay in memory.

    """

    limit: int

    def write(self, violations: Violations, pieces: NDArray[np.int64]) -> ViolationRun:
        """Writes violations with their keys filled in.

        Args:
            violations: at least one; those of a piece are together and in its order.
            pieces: (n,) int64 the piece that each of them is from.

        Raises:
            OSError: they cannot be written.

        """
        ...


@dataclass(frozen=True)
class SpilledViolations:
    """The violations of a rule in files; the files are removed with the last reference.

    Attributes:
        runs: the sorted runs.
        at_once: violations that may be in memory at once, approximately.
        unit: unit of all their measures; empty when it is that of each run.

    """

    runs: tuple[ViolationRun, ...]
    at_once: int = AT_ONCE
    unit: str = ""

    def __len__(self) -> int:
        return sum(len(r) for r in self.runs)

    @property
    def rows(self) -> NDArray[np.int64]:
        """(n, k) int64 source rows of all violations in canonical order, padded with -1."""
        read = [part.rows for part in self.parts()]
        width = max((r.shape[1] for r in read), default=1)
        wide = [np.pad(r, ((0, 0), (0, width - r.shape[1])), constant_values=-1) for r in read]
        return np.concatenate([np.empty((0, width), np.int64), *wide])

    def parts(self) -> Iterator[Violations]:
        """The violations in canonical order, keys filled in, in chunks.

        Violations that share their first row are in one chunk: those of one feature, or those
        without one.
        """
        cuts = self._cuts()
        for low, high in zip([None, *cuts], [*cuts, None], strict=True):
            read = [run.read(low, high) for run in self.runs]
            found = Violations.concat(f for f, _ in read)
            if len(found):
                # Equal violations stay in the order of their pieces, as in memory.
                pieces = np.concatenate([p for f, p in read if len(f)])
                found = found.take(np.argsort(pieces, kind="stable")).sorted()
                yield replace(found, unit=self.unit or found.unit)

    def head(self, count: int) -> Violations:
        """The first ``count`` violations."""
        found: list[Violations] = []
        for part in self.parts():
            found.append(part.take(slice(0, count - sum(map(len, found)))))
            if sum(map(len, found)) >= count:
                break
        return Violations.concat(found)

    def _cuts(self) -> list[int]:
        """First rows at which the merge ranges begin."""
        first = np.concatenate([np.empty(0, np.int64), *(run.first for run in self.runs)])
        size = np.concatenate([np.empty(0, np.int64), *(_sizes(run) for run in self.runs)])
        order = np.argsort(first, kind="stable")
        number = np.cumsum(size[order]) // max(self.at_once, 1)
        begins = np.flatnonzero(np.diff(number, prepend=0))
        return [int(c) for c in np.unique(first[order][begins])]


def _sizes(run: ViolationRun) -> NDArray[np.int64]:
    left = len(run) - run.block * np.arange(len(run.first), dtype=np.int64)
    return np.minimum(left, run.block)


AnyViolations = Violations | SpilledViolations
"""Violations in memory or in files."""


def found_by(outcome: RuleOutcome) -> AnyViolations:
    """The violations of an outcome, in memory or in files."""
    return cast("AnyViolations", outcome.violations)


def with_found(outcome: RuleOutcome, violations: AnyViolations) -> RuleOutcome:
    """The outcome with these violations.

    Rules see violations in memory only, so that is the declared type of an outcome. Between the end
    of a rule and the writing of its violations, they may be in files.
    """
    return replace(outcome, violations=cast("Violations", violations))


def weight(violations: Violations) -> int:
    """Approximate bytes of violations in memory."""
    coordinates = int(shapely.get_num_coordinates(violations.geometry).sum())
    return len(violations) * A_FINDING + 16 * coordinates


def parts_of(violations: AnyViolations) -> Iterator[Violations]:
    """Violations in canonical order, in chunks, from memory or from files."""
    return violations.parts() if isinstance(violations, SpilledViolations) else iter((violations,))


def in_memory(violations: AnyViolations, count: int) -> Violations:
    """All violations if they are in memory anyway, else the first ``count``."""
    return violations.head(count) if isinstance(violations, SpilledViolations) else violations


__all__ = [
    "AnyViolations",
    "SpilledViolations",
    "ViolationRun",
    "ViolationSink",
    "found_by",
    "in_memory",
    "parts_of",
    "weight",
    "with_found",
]

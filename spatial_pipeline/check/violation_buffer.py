"""Buffers the violations found while a rule folds its pieces: in memory up to a limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spatial_pipeline.check.base import Context
from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.violation_runs import (
    A_FINDING,
    AT_ONCE,
    AnyViolations,
    SpilledViolations,
    ViolationRun,
    ViolationSink,
    weight,
)
from spatial_pipeline.model.violations import Violations

LAST = np.iinfo(np.int64).max
"""Piece number of violations found at the end: after all others."""
SHARE = 4
"""One part in this many of the limit is written at once, as keys are objects in memory."""


class ViolationBuffer:
    """Collects the violations of one rule, chunk by chunk, in any order.

    Args:
        context: of the check; without a sink, everything stays in memory.

    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loose: list[Violations] = []
        self._weight = 0
        self._runs: list[ViolationRun] = []

    def add(self, violations: Violations) -> None:
        """Adds violations.

        Raises:
            OSError: the violations cannot be written.

        """
        if not len(violations):
            return
        self._loose.append(violations)
        sink = self._context.sink
        if sink is not None:
            self._weight += weight(violations)
            if self._weight > sink.limit // SHARE:
                self._write(sink)

    def found(self, unit: str = "") -> AnyViolations:
        """All violations.

        Args:
            unit: unit of all measures, where it differs from that of each part.

        Raises:
            OSError: they cannot be written.

        """
        sink = self._context.sink
        if sink is not None and self._runs:
            self._write(sink)
            return SpilledViolations(tuple(self._runs), at_once(sink), unit)
        whole = Violations.concat(self._loose)
        return replace(whole, unit=unit or whole.unit)

    def _write(self, sink: ViolationSink) -> None:
        whole = Violations.concat(self._loose)
        self._loose, self._weight = [], 0
        if len(whole):
            self._runs += written_out(sink, whole, self._context.data, self._context.key)


def at_once(sink: ViolationSink) -> int:
    """Violations that may be in memory at once when they are read back."""
    return max(1, min(AT_ONCE, sink.limit // A_FINDING))


def written_out(
    sink: ViolationSink, violations: Violations, data: Reader, key: tuple[str, ...]
) -> list[ViolationRun]:
    """Writes violations with their keys, in chunks that fit a share of the limit.

    Args:
        sink: destination of the violations.
        violations: in any order; equal ones keep theirs.
        data: the version that they are about.
        key: its key columns.

    Raises:
        OSError: they cannot be written.

    """
    order = violations.order() if len(violations) > 1 else np.arange(len(violations))
    each = weight(violations) // max(len(violations), 1)
    size = max(at_once(sink), sink.limit // SHARE // max(each, 1))
    runs = []
    for begin in range(0, len(violations), size):
        part = keyed(violations.take(order[begin : begin + size]), data, key)
        runs.append(sink.write(part, np.full(len(part), LAST)))
    return runs


__all__ = ["ViolationBuffer", "at_once", "written_out"]

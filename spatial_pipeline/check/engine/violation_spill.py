"""Spills the violations of all rules of a check: in memory up to a limit, the rest in files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from spatial_pipeline.check.engine.rule_run import RuleRun
from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.check.violation_buffer import at_once, written_out
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.violation_runs import (
    SpilledViolations,
    ViolationRun,
    ViolationSink,
    found_by,
    weight,
    with_found,
)
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.runtime.workers import Workers


class ViolationSpill:
    """Keeps the violations of all rules within one memory limit. Used on the event loop only.

    Attributes:
        held: bytes of violations in memory that could be in files.

    """

    def __init__(
        self, sink: ViolationSink | None, workers: Workers, data: Reader, key: tuple[str, ...]
    ) -> None:
        self.held = 0
        self._sink = sink
        self._workers = workers
        self._data = data
        self._key = key
        self._loose: dict[RuleRun, dict[int, int]] = {}
        self._runs: dict[RuleRun, list[ViolationRun]] = {}

    async def tidy(self, tasks: Sequence[RuleRun]) -> None:
        """Counts new violations; beyond the limit, spills those of the rule that holds most."""
        if self._sink is None:
            return
        for task in tasks:
            while task.fresh:
                self._count(task, task.fresh.pop())
        while self.held > self._sink.limit and any(self._loose.values()):
            await self._spill(max(self._loose, key=lambda t: sum(self._loose[t].values())))

    def _count(self, task: RuleRun, index: int) -> None:
        if index not in task.partials:
            return
        violations = task.check.violations_of(task.partials[index])
        # Violations with keys of other datasets' rows stay in memory.
        if violations is None or not len(violations) or violations.keys is not None:
            return
        self._loose.setdefault(task, {})[index] = size = weight(violations)
        self.held += size

    async def gather(self, task: RuleRun) -> None:
        """Before ``reduce``: spills a rule's remaining violations if some of them were spilled."""
        if self._sink is not None and task in self._runs and self._loose.get(task):
            await self._spill(task)

    async def close(self, task: RuleRun) -> None:
        """After ``reduce``: moves a rule's violations to files if some are there or they are large.

        A rule that has ended is counted with what others hold, until the check is over.
        """
        sink, runs = self._sink, list(self._runs.pop(task, ()))
        if sink is None or task.outcome is None:
            return
        self.held -= sum(self._loose.pop(task, {}).values())
        found = found_by(task.outcome)
        rest = Violations.none()
        if isinstance(found, SpilledViolations):
            runs += found.runs
        else:
            rest = found
            weighs = weight(rest)
            light = self.held + weighs <= sink.limit or rest.keys is not None
            if light and not runs:
                self.held += weighs
                return
        if len(rest):
            written = await task.call(
                self._workers, partial(written_out, sink, rest, self._data, self._key)
            )
            if written is None:
                return
            runs += written
        spilled = SpilledViolations(tuple(runs), at_once(sink), found.unit)
        task.outcome = with_found(task.outcome, spilled)

    async def _spill(self, task: RuleRun) -> None:
        """Writes one more run of a rule's violations."""
        sink, sizes = self._sink, self._loose.pop(task)
        self.held -= sum(sizes.values())
        if sink is None or not task.alive:
            return
        check, partials = task.check, {i: task.partials[i] for i in sorted(sizes)}

        def write() -> ViolationRun:
            found = {i: check.violations_of(p) for i, p in partials.items()}
            pieces = np.concatenate([np.full(len(f), i) for i, f in found.items()])
            violations = keyed(Violations.concat(found.values()), self._data, self._key)
            for i, p in partials.items():
                partials[i] = check.without_violations(p)
            return sink.write(violations, pieces)

        run = await task.call(self._workers, write)
        if run is not None and task.alive:
            task.partials.update(partials)
            self._runs.setdefault(task, []).append(run)


__all__ = ["ViolationSpill"]

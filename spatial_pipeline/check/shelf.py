"""What the rules of a check have found so far: in memory up to a limit, the rest in files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatial_pipeline.check.named import keyed
from spatial_pipeline.check.task import Task
from spatial_pipeline.check.workers import Workers
from spatial_pipeline.pieces import Data
from spatial_pipeline.results import Findings
from spatial_pipeline.spilled import (
    A_FINDING,
    AT_ONCE,
    FindingsRun,
    FindingsSink,
    SpilledFindings,
    weight,
    with_found,
)

LAST = np.iinfo(np.int64).max
"""The piece of what ``reduce`` finds: it comes after all others."""


class Shelf:
    """Keeps the findings of all rules together within one limit. Used on the event loop only.

    Attributes:
        held: bytes of findings in memory that could be in files.

    """

    def __init__(
        self, sink: FindingsSink | None, workers: Workers, data: Data, key: tuple[str, ...]
    ) -> None:
        self.held = 0
        self._sink = sink
        self._workers = workers
        self._data = data
        self._key = key
        self._loose: dict[Task, dict[int, int]] = {}
        self._runs: dict[Task, list[FindingsRun]] = {}

    async def tidy(self, tasks: Sequence[Task]) -> None:
        """Counts what rules have found since; beyond the limit, who holds most goes to a file."""
        if self._sink is None:
            return
        for task in tasks:
            while task.fresh:
                self._count(task, task.fresh.pop())
        while self.held > self._sink.limit and any(self._loose.values()):
            await self._spill(max(self._loose, key=lambda t: sum(self._loose[t].values())))

    def _count(self, task: Task, index: int) -> None:
        if index not in task.partials:
            return
        findings = task.check.findings_of(task.partials[index])
        # Keys of their own are not those of staged rows: such findings stay.
        if findings is None or not len(findings) or findings.keys is not None:
            return
        self._loose.setdefault(task, {})[index] = size = weight(findings)
        self.held += size

    async def gather(self, task: Task) -> None:
        """Before ``reduce``: takes out what a rule still holds if some of it was taken out."""
        if self._sink is not None and task in self._runs and self._loose.get(task):
            await self._spill(task)

    async def close(self, task: Task) -> None:
        """After ``reduce``: all findings of a rule are in files when some are."""
        sink, runs = self._sink, self._runs.get(task)
        if sink is None or not runs or task.outcome is None:
            return
        rest = task.outcome.findings

        def write() -> FindingsRun:
            findings = keyed(rest, self._data, self._key)
            return sink.write(findings, np.full(len(rest), LAST))

        if len(rest):
            run = await task.call(self._workers, write)
            if run is None:
                return
            runs.append(run)
        size = max(1, min(AT_ONCE, sink.limit // A_FINDING))
        task.outcome = with_found(task.outcome, SpilledFindings(tuple(runs), size))

    async def _spill(self, task: Task) -> None:
        """One more run of the findings that a rule holds."""
        sink, sizes = self._sink, self._loose.pop(task)
        self.held -= sum(sizes.values())
        if sink is None or not task.alive:
            return
        check, partials = task.check, {i: task.partials[i] for i in sorted(sizes)}

        def write() -> FindingsRun:
            found = {i: check.findings_of(p) for i, p in partials.items()}
            pieces = np.concatenate([np.full(len(f), i) for i, f in found.items()])
            findings = keyed(Findings.concat(found.values()), self._data, self._key)
            for i, p in partials.items():
                partials[i] = check.without_findings(p)
            return sink.write(findings, pieces)

        run = await task.call(self._workers, write)
        if run is not None and task.alive:
            task.partials.update(partials)
            self._runs.setdefault(task, []).append(run)


__all__ = ["Shelf"]

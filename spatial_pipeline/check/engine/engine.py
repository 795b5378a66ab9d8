"""Evaluates the rules of a contract on one version, reading the data once.

Every piece of data is decoded once and offered to all rules that need it; work runs in threads.
Whatever happens to a rule (it raises, hangs, lacks data), it gets exactly one result.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

from spatial_pipeline.check.base import (
    BatchCheck,
    PlannedCheck,
    ProfileCheck,
    TileCheck,
    TileComparisonCheck,
    WindowCheck,
)
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.engine.evaluate_piece import see_features, see_pixels
from spatial_pipeline.check.engine.finalize import conclude
from spatial_pipeline.check.engine.gil import responsive
from spatial_pipeline.check.engine.memory_budget import (
    MemoryBudget,
    features_a_piece,
    in_lanes,
    piece_bytes,
    window_bytes,
)
from spatial_pipeline.check.engine.partitioning import Partitioning
from spatial_pipeline.check.engine.plan import Plan, Shares, Work
from spatial_pipeline.check.engine.remote import RemoteJob, RemoteWorkers, ask
from spatial_pipeline.check.engine.rule_run import RuleRun
from spatial_pipeline.check.engine.suppress import Acceptances
from spatial_pipeline.check.engine.violation_spill import ViolationSpill
from spatial_pipeline.check.incremental.feature_cache import History
from spatial_pipeline.check.join.where_filter import columns_of
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Scope
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import RasterReader, Reader, VectorReader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation_runs import AnyViolations
from spatial_pipeline.model.violations import RuleOutcome
from spatial_pipeline.runtime.malloc import give_back, keep_arrays
from spatial_pipeline.runtime.workers import Workers

Evaluation = tuple[Result, AnyViolations]
Others = Callable[[Rule], tuple[Reader, ...]]
Progress = Callable[[int, int], None]


async def evaluate(
    rules: Sequence[Rule],
    data: Reader,
    *,
    key: tuple[str, ...] = (),
    others: Others = lambda _: (),
    accepted: Acceptances = lambda _: None,
    plan: Plan | None = None,
    progress: Progress = lambda _done, _total: None,
    stop: threading.Event | None = None,
    remote: RemoteWorkers | None = None,
    history: History | None = None,
) -> list[Evaluation]:
    """One result and its violations for every rule, in the order of the rules.

    Args:
        rules: the rules to evaluate.
        data: the staged version.
        key: columns that identify a feature in violations; empty means source rows.
        others: opens the other data of a rule, in the order of ``Rule.others()``; called in a
            thread; its exceptions become the result of that rule.
        accepted: the suppressions of a rule; called in a thread, like ``others``.
        plan: partitioning and concurrency.
        progress: called on the event loop with pieces done and pieces planned.
        stop: set when the check is cancelled or fails, before it waits for its threads; long work
            in ``others`` may check it.
        remote: other machines, which evaluate the pieces for which they can reach all data.
        history: caches of earlier versions, so that only changes are evaluated; not used with other
            machines. The results equal those of a check without it.

    A cancelled check stops its threads at their next chunk and leaves none running.

    """
    # The first time it imports modules for a quarter of a second: not on the loop.
    await asyncio.to_thread(catalogue.load_for, rules)
    keep_arrays()
    plan = plan or Plan()
    tasks = [RuleRun(rule, key, plan.sink) for rule in rules]
    with responsive():
        async with Workers(plan.jobs) as workers:
            try:
                return await _evaluated(
                    data, tasks, workers, plan, key, others, accepted, progress, remote, history
                )
            except BaseException:
                if stop is not None:
                    stop.set()
                for task in tasks:
                    task.stop()
                raise


async def _evaluated(
    data: Reader,
    tasks: Sequence[RuleRun],
    workers: Workers,
    plan: Plan,
    key: tuple[str, ...],
    others: Others,
    accepted: Acceptances,
    progress: Progress,
    remote: RemoteWorkers | None,
    history: History | None,
) -> list[Evaluation]:
    shelf = ViolationSpill(plan.sink, workers, data, key)
    run = _Run(data, tasks, workers, plan, progress, shelf, remote)
    for task in tasks:
        run.admit(task)
    await run.profile()
    await run.open_others(others)
    past = None if remote is not None else history
    if past is not None:
        await run.recall(past)
    await run.pieces()
    await asyncio.to_thread(give_back)
    # Rules that have worked longest so far will probably finish last, so they go first.
    await asyncio.gather(*(run.reduce(t) for t in sorted(tasks, key=lambda t: -t.elapsed)))
    if past is not None:
        await run.keep(past)
    return [await conclude(task, data, key, workers, accepted, plan.sink) for task in tasks]


class _Run:
    """One evaluation in progress; lives on the event loop, works in the threads."""

    def __init__(
        self,
        data: Reader,
        tasks: Sequence[RuleRun],
        workers: Workers,
        plan: Plan,
        progress: Progress,
        shelf: ViolationSpill,
        remote: RemoteWorkers | None = None,
    ) -> None:
        self.shelf = shelf
        self.remote = remote
        self.data = data
        self.tasks = tasks
        self.workers = workers
        self.plan = plan
        self.progress = progress
        self.done = 0
        self.total = 0
        self.room = MemoryBudget(plan.memory)

    def admit(self, task: RuleRun) -> None:
        """Refuses rules that cannot be evaluated on this data at all."""
        profile = self.data.profile
        task.bind(self.data)
        if task.rule.judges_unreadable_source:
            return
        if profile.error is not None and not _known(profile, task.rule):
            task.fail("needs a readable source")
        elif task.rule.needs_crs() and profile.pyproj_crs is None:
            task.fail("needs crs")
        elif isinstance(profile, VectorProfile):
            names = [c.name for c in profile.columns]
            missing = [c for c in task.rule.columns() if c not in names]
            if missing:
                task.fail(f"needs column {', '.join(missing)}")
            elif task.rule.scope is Scope.NEIGHBOURHOOD and profile.geometry_column is None:
                task.fail("needs geometry")
        elif task.rule.where is not None:
            task.fail("where is for vector data: a raster has no columns")

    async def profile(self) -> None:
        """Evaluates cheap rules first; rules that a wrong CRS makes meaningless are skipped."""
        for task in self.live(ProfileCheck):
            if not task.rule.others():
                await task.step(self.workers, 0, partial(task.check.evaluate, self.data.profile))
        wrong_crs = [t for t in self.tasks if t.rule.rule == "crs" and not _holds(t)]
        if wrong_crs:
            for task in self.tasks:
                if task.alive and task.rule.needs_crs():
                    task.fail("needs crs: the rule crs did not pass")

    async def open_others(self, others: Others) -> None:
        """Opens the comparison data of each rule."""

        async def open_for(task: RuleRun) -> None:
            opened = await task.call(self.workers, partial(others, task.rule))
            if opened is not None:
                task.bind(self.data, opened)

        await asyncio.gather(*(open_for(t) for t in self.tasks if t.alive))
        for task in self.live(ProfileCheck):
            if task.rule.others():
                await task.step(self.workers, 0, partial(task.check.evaluate, self.data.profile))

    async def recall(self, past: History) -> None:
        """Loads the cached results of earlier versions."""
        tasks = self.live(BatchCheck, TileCheck, TileComparisonCheck)
        await asyncio.gather(*(self.workers.run(partial(t.recall, past)) for t in tasks))

    async def keep(self, past: History) -> None:
        """Stores results for the next version."""
        await asyncio.gather(*(self.workers.run(partial(t.keep, past)) for t in self.tasks))

    async def pieces(self) -> None:
        """Evaluates every piece once for all rules that need it, and planned work beside it."""
        shares = Shares()
        profile = self.data.profile
        if isinstance(profile, VectorProfile):
            shares = self.vector_pieces(cast("VectorReader", self.data))
        elif isinstance(profile, RasterProfile) and profile.error is None:
            shares = self.windows(cast("RasterReader", self.data))
        planned = self.live(PlannedCheck)
        places = shares.places if shares.far else ()
        self.total += len(shares.here) + len(planned) + len(places)
        async with asyncio.TaskGroup() as group:
            if self.remote is not None and places:
                group.create_task(self.elsewhere(self.remote, shares))
            group.create_task(in_lanes(map(self.counted, shares.here), self.plan.in_flight))
            for task in planned:
                group.create_task(self.counted(partial(self.planned, task))())

    async def elsewhere(self, remote: RemoteWorkers, shares: Shares) -> None:
        """Evaluates every piece once on other machines, for the rules that they can evaluate."""
        tasks = shares.far
        rules, others = tuple(t.rule for t in tasks), tuple(t.others for t in tasks)
        job = RemoteJob(self.data, rules, others, tasks[0].key, shares.columns, shares.size)
        try:
            async with remote.opened(job) as pieces:
                works = [partial(ask, pieces, i, tasks, w) for i, w in enumerate(shares.places)]
                await in_lanes(map(self.counted, works), min(remote.lanes, len(works)))
        except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
            for task in tasks:
                task.fail(f"no other machine could be asked: {exc}")

    def split(self, tasks: list[RuleRun]) -> tuple[list[RuleRun], list[RuleRun]]:
        """Rule runs for this machine, and those for which other machines have all data."""
        remote = self.remote
        if remote is None or not remote.reaches(self.data):
            return tasks, []
        far = [t for t in tasks if all(map(remote.reaches, t.others))]
        return [t for t in tasks if t not in far], far

    def counted(self, work: Callable[[], Awaitable[None]]) -> Work:
        async def counting() -> None:
            await work()
            await self.shelf.tidy(self.tasks)
            self.done += 1
            self.progress(self.done, self.total)

        return counting

    def vector_pieces(self, data: VectorReader) -> Shares:
        tasks = self.live(BatchCheck, TileCheck, TileComparisonCheck)
        if not tasks:
            return Shares()
        names = [c.name for c in data.profile.columns]
        columns = tuple(
            dict.fromkeys(
                c
                for t in tasks
                for c in (
                    *t.rule.columns(),
                    *columns_of("\n".join((t.rule.where or "", *t.rule.conditions())), names),
                )
            )
        )
        if self.plan.piece_size is not None:
            cut = Partitioning(data, self.plan.piece_size)
        else:
            row_bytes = data.row_bytes(columns)
            size = features_a_piece(row_bytes, self.plan.memory, self.plan.in_flight)
            cut = Partitioning(data, size)
        near, far = self.split(tasks)
        around = [o for t in near if isinstance(t.check, TileComparisonCheck) for o in t.others[:1]]
        rows = max(map(len, cut.spans), default=0)
        besides = {c for t in near if isinstance(t.check, BatchCheck) for c in t.check.reads()}
        need = piece_bytes(data, columns, rows, cast("list[VectorReader]", around), besides)
        pieces = range(len(cut)) if near else ()
        works = [partial(self.vector_piece, cut, i, near, columns, need) for i in pieces]
        return Shares(works, far, (None,) * len(cut), columns, cut.size)

    async def vector_piece(
        self,
        cut: Partitioning,
        index: int,
        tasks: Sequence[RuleRun],
        columns: tuple[str, ...],
        need: int,
    ) -> None:
        async with self.room.taken(need):
            await see_features(cut, index, tasks, columns, self.workers)

    def windows(self, data: RasterReader) -> Shares:
        tasks = self.live(WindowCheck)
        near, far = self.split(tasks)
        windows = data.windows() if tasks else ()
        works = [partial(self.window, data, i, w, near) for i, w in enumerate(windows) if near]
        return Shares(works, far, windows)

    async def window(
        self,
        data: RasterReader,
        index: int,
        window: tuple[int, int, int, int],
        tasks: Sequence[RuleRun],
    ) -> None:
        async with self.room.taken(window_bytes(data, *window[2:])):
            await see_pixels(data, index, window, tasks, self.workers)

    async def planned(self, task: RuleRun) -> None:
        calls = await task.call(self.workers, lambda: list(task.check.plan()))
        if calls is None:
            return
        self.total += len(calls)
        steps = (self.counted(partial(self.shared, task, i, call)) for i, call in enumerate(calls))
        await in_lanes(steps, self.plan.in_flight)

    async def shared(self, task: RuleRun, index: int, call: Callable[[], Any]) -> None:
        """Runs a step of unknown size: it takes an equal share of the memory."""
        async with self.room.taken((self.plan.memory or 0) // self.plan.in_flight):
            await task.step(self.workers, index, call)

    async def reduce(self, task: RuleRun) -> None:
        """Folds the partial results into the outcome."""
        if not task.alive:
            return
        if isinstance(task.check, ProfileCheck):
            task.outcome = task.partials[0]
            return
        await self.shelf.gather(task)
        partials = [task.partials[i] for i in sorted(task.partials)]
        task.outcome = await task.call(self.workers, partial(task.check.reduce, partials))
        task.partials.clear()
        await self.shelf.close(task)

    def live(self, *kinds: type[Any]) -> list[RuleRun]:
        return [t for t in self.tasks if t.alive and isinstance(t.check, kinds)]


def _known(profile: Profile, rule: Rule) -> bool:
    """True for rules that a raster with damaged blocks can still answer from its metadata."""
    opened = isinstance(profile, RasterProfile) and profile.count > 0
    return opened and rule.scope is Scope.PROFILE


def _holds(task: RuleRun) -> bool:
    outcome: RuleOutcome | None = task.partials.get(0)
    return outcome is not None and outcome.passed is not False and not len(outcome.violations)


__all__ = ["Evaluation", "Others", "Plan", "Progress", "evaluate"]

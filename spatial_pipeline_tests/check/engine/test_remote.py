"""Pieces that travel: the same answers as here, and one result a rule whatever comes back."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.check.engine.remote import Answers, Bench, Elapsed, RemoteJob, Window
from spatial_pipeline.check.engine.rule_run import Answer
from spatial_pipeline.contract.rules.metadata import Unique
from spatial_pipeline.contract.rules.parity import SameCountAs, SamePixelsAs, StagedMatchesSource
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy, MustNotOverlap
from spatial_pipeline.contract.rules.validity import PixelRange, ValidGeometry
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.hashing import checksums
from spatial_pipeline.runtime.workers import Workers
from spatial_pipeline_tests.support import memory_raster, memory_vector

Change = Callable[[int, Answers], Answers]


class Elsewhere:
    """Another machine in this process: all that goes there and comes back is pickled."""

    lanes = 3

    def __init__(self, stranger: Any = None, change: Change = lambda _i, a: a) -> None:
        self.stranger = stranger
        self.change = change
        self.asked: list[int] = []
        self.rules: list[str] = []

    def reaches(self, data: Any) -> bool:
        return data is not self.stranger

    @contextlib.asynccontextmanager
    async def opened(self, job: RemoteJob) -> AsyncIterator[Elsewhere]:
        self.rules = [r.check_name for r in job.rules]
        async with Workers(2) as workers:
            self.bench = await Bench.opened(pickle.loads(pickle.dumps(job)), workers)
            yield self

    async def answers(
        self, index: int, elapsed: Callable[[], Elapsed], window: Window | None = None
    ) -> Answers:
        self.asked.append(index)
        answers = await self.bench.evaluate_piece(index, elapsed(), window)
        return self.change(index, pickle.loads(pickle.dumps(answers)))


def squares(count: int) -> Any:
    x = np.arange(count, dtype=float)
    shapes = shapely.box(x, 0, x + 1 + (x % 7 == 0) * 0.5, 1)
    return memory_vector([*shapes[:-1], None], {"id": [*range(count - 1), 3]}, batch_size=10)


COVER = memory_vector([shapely.box(0, 0, 30, 1), shapely.box(30, 0, 90, 0.5)])
RULES = [
    Unique(columns=("id",)),
    ValidGeometry(),
    MustNotOverlap(),
    MustBeCoveredBy.model_validate({"other": {"dataset": "cover"}}),
]


def said(data: Any, rules: list[Any], others: Any = (), **options: Any) -> list[Any]:
    found = asyncio.run(
        evaluate(rules, data, others=lambda r: others if r.others() else (), **options)
    )
    return [
        (replace(r, elapsed_s=0.0), shapely.to_wkb(f.geometry).tolist(), f.rows.tolist())
        for r, f in found
    ]


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_the_same_answers_of_features(piece: int | None) -> None:
    data, plan, there = squares(50), Plan(piece_size=piece), Elsewhere()
    assert said(data, RULES, (COVER,), plan=plan, remote=there) == said(data, RULES, (COVER,))
    # Five batches of ten, none of them in a piece with another one.
    assert sorted(there.asked) == list(range(5 * -(-10 // (piece or 10))))
    assert there.rules == [r.check_name for r in RULES]


def test_the_same_answers_of_pixels() -> None:
    values = np.arange(40 * 50).reshape(1, 40, 50) % 300
    data, there = memory_raster(values), Elsewhere()
    finer = memory_raster(values, transform=(0.9, 0, 0.05, 0, -0.9, 0))
    rules = [
        PixelRange(max=290),
        SamePixelsAs.model_validate({"other": {"dataset": "finer"}, "resample": "bilinear"}),
    ]
    results = said(data, rules, (finer,), remote=there)
    assert results == said(data, rules, (finer,))
    assert "resampled to this grid (bilinear)" in results[1][0].message
    assert sorted(there.asked) == list(range(12))


def test_what_other_machines_cannot_open_is_compared_here() -> None:
    data, there = squares(50), Elsewhere(stranger=COVER)
    assert said(data, RULES, (COVER,), remote=there) == said(data, RULES, (COVER,))
    assert there.rules == [r.check_name for r in RULES[:3]]
    there = Elsewhere(stranger=data)
    assert said(data, RULES, (COVER,), remote=there) == said(data, RULES, (COVER,))
    assert there.asked == []


def test_a_missing_answer_is_an_error() -> None:
    def forgetful(index: int, answers: Answers) -> Answers:
        return {i: a for i, a in answers.items() if (index, i) != (2, 1)}

    results = [r for r, *_ in said(squares(50), RULES[:3], remote=Elsewhere(change=forgetful))]
    assert (results[1].status, results[1].message) == (
        Status.ERROR,
        "piece 2 was not checked: no answer",
    )
    assert [results[0].status, results[2].status] == [Status.FAILED, Status.FAILED]


def test_what_comes_instead_of_answers_is_the_result() -> None:
    def broken(index: int, answers: Answers) -> Answers:
        # One piece only: of several, the first to come back would be named.
        if index != 2:
            return answers
        msg = "the line is dead"
        raise RuleError(msg)

    results = [r for r, *_ in said(squares(50), RULES[:3], remote=Elsewhere(change=broken))]
    assert {(r.status, r.message) for r in results} == {
        (Status.ERROR, "piece 2 was not checked: the line is dead")
    }


def test_time_elsewhere_counts() -> None:
    def slow(index: int, answers: Answers) -> Answers:
        return {i: Answer(a.value, 3.0, a.status, a.error, a.notes) for i, a in answers.items()}

    rules = [ValidGeometry(timeout_s=10.0), ValidGeometry(name="patient", timeout_s=20.0)]
    first, second = said(squares(50), rules, remote=Elsewhere(change=slow))
    assert first[0].status is Status.TIMEOUT
    assert second[0].status is Status.PASSED


def sealed(data: Any) -> Any:
    """The data with the checksums that ingest would have taken."""
    whole, profile = data.everything, data.profile
    sums = checksums.column_sums(
        {"id": whole.table.column("id"), profile.geometry_column: whole.wkb}, whole.rows
    )
    sums[profile.row_column] = checksums.row_sum(whole.rows)
    sums[profile.bbox_column] = checksums.box_sum(data.feature_bounds(), whole.rows)
    data.profile = replace(profile, checksums=checksums.written(sums))
    return data


PROVEN = [ValidGeometry(), StagedMatchesSource()]


def test_the_staged_file_is_summed_up_elsewhere() -> None:
    data, there, told = sealed(squares(50)), Elsewhere(), []
    options = {"plan": Plan(piece_size=7), "progress": lambda *n: told.append(n)}
    results = said(data, PROVEN, remote=there, **options)
    assert results == said(data, PROVEN)
    assert results[1][0].message == "50 features, geometry and 1 columns are as they were read"
    assert there.rules == ["valid_geometry", "staged_matches_source"]
    assert sorted(there.asked) == list(range(10))
    assert told[-1] == (10, 10)


def test_what_was_damaged_is_seen_elsewhere() -> None:
    data = sealed(squares(50))
    other = squares(51)
    data.everything = other.everything.take(np.arange(50))
    results = said(data, PROVEN, remote=Elsewhere())
    assert results == said(data, PROVEN)
    assert results[1][0].status is Status.FAILED


def test_plans_stay_here() -> None:
    data, there = squares(50), Elsewhere()
    rules = [ValidGeometry(), SameCountAs.model_validate({"other": {"dataset": "other"}})]
    assert said(data, rules, (COVER,), remote=there) == said(data, rules, (COVER,))
    assert there.rules == ["valid_geometry"]


def test_what_raises_elsewhere_is_an_error_of_its_rule_alone() -> None:
    data = squares(50)
    results = said(data, PROVEN, remote=Elsewhere())
    assert results == said(data, PROVEN)
    assert "took no checksums" in results[1][0].message
    assert results[0][0].status is Status.PASSED

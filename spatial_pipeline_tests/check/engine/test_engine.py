"""The engine's promises: one result for every rule, whatever the rule does."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from pydantic import ValidationError

from spatial_pipeline.check import base
from spatial_pipeline.check.base import FeatureCheck, PlannedCheck, TileCheck, WindowCheck
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.metadata import Crs, FeatureCount, NotNull, Readable
from spatial_pipeline.contract.rules.parity import RoundTrips, SameFeaturesAs
from spatial_pipeline.contract.rules.raster_metadata import BandCount
from spatial_pipeline.contract.rules.topology import MustBeCoveredBy, MustNotOverlap
from spatial_pipeline.contract.rules.validity import NotEmpty, PixelRange, ValidGeometry
from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.errors import RuleError, SourceError
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.violations import RuleOutcome, Violations
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

POINTS = memory_vector(
    [shapely.Point(i, i) for i in range(10)], {"id": list("abcdefghij")}, batch_size=3
)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts another check in the place of a rule's."""
    catalogue.load()

    def put(model: type[Any], check: type[Any]) -> None:
        monkeypatch.setattr(base, "CHECKS", {**base.CHECKS, (model, None): check})

    return put


class EveryFeature(FeatureCheck[Any]):
    def check(self, batch: FeatureBatch) -> Violations:
        return Violations.build(batch.rows, "seen", batch.geometry, measure=batch.rows, unit="m")


def test_pieces_threads_and_order_do_not_show(stand_in: Any) -> None:
    stand_in(NotEmpty, EveryFeature)
    expected = run_rule(NotEmpty(), POINTS, key=("id",))
    for tile_size in (None, 1, 4, 100):
        for jobs in (1, 3):
            result, violations = run_rule(
                NotEmpty(), POINTS, tile_size=tile_size, jobs=jobs, key=("id",)
            )
            assert result.sample == expected[0].sample
            assert violations.keys.tolist() == expected[1].keys.tolist()
    assert expected[0].violations == 10
    assert expected[0].sample[1].keys == (("b",),)
    assert expected[0].sample[1].location == (1.0, 1.0)
    assert expected[0].sample[1].measure == 1.0


def test_rules_work_while_the_collector_rests(stand_in: Any) -> None:
    seen = []

    class Looking(EveryFeature):
        def map(self, batch: FeatureBatch) -> tuple[int, Violations]:
            seen.append(gc.isenabled())
            return super().map(batch)

    stand_in(NotEmpty, Looking)
    run_rule(NotEmpty(), POINTS)
    assert seen == [False] * 4
    assert gc.isenabled()


def test_where_limits_what_is_judged(stand_in: Any) -> None:
    stand_in(NotEmpty, EveryFeature)
    result, violations = run_rule(NotEmpty(where="id in ('c', 'j')"), POINTS)
    assert (result.checked, result.violations) == (2, 2)
    assert violations.rows.tolist() == [[2], [9]]


def test_a_wrong_condition_is_an_error() -> None:
    result, _ = run_rule(NotEmpty(where="nope = 1"), POINTS)
    assert result.status is Status.ERROR
    assert "nope" in result.message


@pytest.mark.parametrize(
    ("accepted", "status"),
    [
        ({"max_violations": 10}, Status.PASSED),
        ({"max_violations": 9}, Status.FAILED),
        ({"max_fraction": 1.0}, Status.PASSED),
        ({"max_fraction": 0.99}, Status.FAILED),
        ({}, Status.FAILED),
    ],
)
def test_accepted_violations(stand_in: Any, accepted: dict[str, Any], status: Status) -> None:
    stand_in(NotEmpty, EveryFeature)
    assert run_rule(NotEmpty(**accepted), POINTS)[0].status is status


@pytest.mark.parametrize(
    ("grades", "status", "severity", "value"),
    [
        ((11, 12), Status.PASSED, Severity.ERROR, 10),
        ((10, 11), Status.FAILED, Severity.WARN, 10),
        ((1, 10), Status.FAILED, Severity.ERROR, 10),
        ((0.5, 0.9), Status.FAILED, Severity.ERROR, 1.0),
    ],
)
def test_two_grades_in_place_of_one_severity(
    stand_in: Any, grades: Any, status: Status, severity: Severity, value: float
) -> None:
    stand_in(NotEmpty, EveryFeature)
    result, _ = run_rule(NotEmpty(warn_at=grades[0], error_at=grades[1]), POINTS)
    assert (result.status, result.severity, result.value) == (status, severity, value)
    assert result.blocks == (status is Status.FAILED and severity is Severity.ERROR)


def test_a_graded_rule_that_cannot_be_evaluated_blocks() -> None:
    result, _ = run_rule(NotEmpty(where="nope = 1", warn_at=1, error_at=5), POINTS)
    assert (result.status, result.severity) == (Status.ERROR, Severity.ERROR)


def test_a_rule_that_raises_is_an_error_and_stops_no_other(stand_in: Any) -> None:
    class Raises(FeatureCheck[Any]):
        def check(self, batch: FeatureBatch) -> Violations:
            raise ZeroDivisionError("by nothing")

    stand_in(NotEmpty, Raises)
    results = asyncio.run(evaluate([NotEmpty(), FeatureCount(min=10)], POINTS))
    assert [r.status for r, _ in results] == [Status.ERROR, Status.PASSED]
    assert results[0][0].message == "ZeroDivisionError: by nothing"


@pytest.mark.parametrize("stage", ["init", "map", "reduce"])
def test_rule_errors_say_their_message_only(stand_in: Any, stage: str) -> None:
    class Refuses(FeatureCheck[Any]):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.refuse("init")

        def refuse(self, here: str) -> None:
            if here == stage:
                raise RuleError("needs a grid")

        def check(self, batch: FeatureBatch) -> Violations:
            self.refuse("map")
            return Violations.none()

        def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
            self.refuse("reduce")
            return super().reduce(partials)

    stand_in(NotEmpty, Refuses)
    result, _ = run_rule(NotEmpty(), POINTS)
    assert (result.status, result.message) == (Status.ERROR, "needs a grid")


def test_a_hung_rule_times_out_and_the_others_finish(stand_in: Any) -> None:
    release = threading.Event()

    class Hangs(FeatureCheck[Any]):
        def check(self, batch: FeatureBatch) -> Violations:
            release.wait(20)
            return Violations.none()

    stand_in(NotEmpty, Hangs)
    begun = time.perf_counter()
    results = asyncio.run(
        evaluate([NotEmpty(timeout_s=0.1), FeatureCount(min=10)], POINTS, plan=Plan(jobs=1))
    )
    assert [r.status for r, _ in results] == [Status.TIMEOUT, Status.PASSED]
    assert "0.1 s" in results[0][0].message
    assert time.perf_counter() - begun < 10
    release.set()


def test_a_timed_out_rule_stops_working(stand_in: Any) -> None:
    calls: list[int] = []

    class Slow(FeatureCheck[Any]):
        def check(self, batch: FeatureBatch) -> Violations:
            calls.append(1)
            for _ in range(400):
                time.sleep(0.005)
                self.context.cancelled()
            return Violations.none()

    stand_in(NotEmpty, Slow)
    before = threading.active_count()
    assert run_rule(NotEmpty(timeout_s=0.05), POINTS)[0].status is Status.TIMEOUT
    deadline = time.perf_counter() + 5
    while threading.active_count() > before and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert sum(calls) < POINTS.batch_count()


def test_a_piece_that_cannot_be_read_fails_every_rule_that_needs_it() -> None:
    class Torn:
        def __init__(self) -> None:
            self.whole = POINTS

        def __getattr__(self, name: str) -> Any:
            return getattr(self.whole, name)

        def batch(self, index: int, columns: Sequence[str]) -> FeatureBatch:
            if index == 1:
                raise OSError("page is torn")
            return self.whole.batch(index, columns)

    results = asyncio.run(evaluate([Readable(), NotEmpty()], Torn()))
    assert [r.status for r, _ in results] == [Status.ERROR, Status.ERROR]
    assert all("page is torn" in r.message for r, _ in results)


def test_rules_that_a_missing_crs_makes_meaningless() -> None:
    no_crs = memory_vector([shapely.Point(0, 0)], crs=None)
    rules = [Crs(equals="EPSG:4326"), MustBeCoveredBy(other={"uri": "x"}), NotEmpty()]
    results = [r for r, _ in asyncio.run(evaluate(rules, no_crs))]
    assert [r.status for r in results] == [Status.FAILED, Status.ERROR, Status.PASSED]
    assert results[1].message.startswith("needs crs")


def test_rules_that_a_wrong_crs_makes_meaningless() -> None:
    rules = [Crs(equals="EPSG:4326"), MustBeCoveredBy(other={"uri": "x"})]
    results = [r for r, _ in asyncio.run(evaluate(rules, POINTS))]
    assert [r.status for r in results] == [Status.FAILED, Status.ERROR]
    assert results[1].message == "needs crs: the rule crs did not pass"


def test_a_missing_column() -> None:
    result, _ = run_rule(NotNull(columns=["id", "owner"]), POINTS)
    assert (result.status, result.message) == (Status.ERROR, "needs column owner")


def test_an_unreadable_source_passes_nothing() -> None:
    broken = memory_vector([], error="truncated at byte 7", driver="GPKG")
    rules = [Readable(), FeatureCount(max=10), NotEmpty(), ValidGeometry(), MustNotOverlap()]
    results = [r for r, _ in asyncio.run(evaluate(rules, broken))]
    assert results[0].status is Status.FAILED
    assert "truncated at byte 7" in results[0].message
    assert {r.status for r in results[1:]} == {Status.ERROR}


def test_a_raster_with_damaged_blocks_still_says_what_it_is() -> None:
    broken = memory_raster(np.zeros((2, 4, 4)), error="block (1, 2) of band 1 does not decode")
    rules = [Readable(), BandCount(equals=2), BandCount(equals=3, name="three"), PixelRange(min=0)]
    results = [r for r, _ in asyncio.run(evaluate(rules, broken))]
    assert [r.status for r in results] == [
        Status.FAILED,
        Status.PASSED,
        Status.FAILED,
        Status.ERROR,
    ]


def test_other_data_that_cannot_be_opened() -> None:
    def others(rule: Any) -> tuple[Any, ...]:
        if rule.others():
            raise SourceError("counties.gpkg is missing")
        return ()

    rules = [MustBeCoveredBy(other={"uri": "counties.gpkg"}), NotEmpty()]
    results = [r for r, _ in asyncio.run(evaluate(rules, POINTS, others=others))]
    assert [r.status for r in results] == [Status.ERROR, Status.PASSED]
    assert results[0].message == "counties.gpkg is missing"


def test_planned_checks_run_all_their_pieces(stand_in: Any) -> None:
    class Counts(PlannedCheck[Any]):
        def plan(self) -> Iterator[Any]:
            for i in range(7):
                yield lambda i=i: i * i

        def reduce(self, partials: Sequence[int]) -> RuleOutcome:
            return RuleOutcome(
                checked=len(partials), value=sum(partials), passed=True, threshold=91
            )

    stand_in(SameFeaturesAs, Counts)
    result, _ = run_rule(SameFeaturesAs(other={"uri": "x"}), POINTS, POINTS, jobs=3)
    assert (result.checked, result.value, result.status) == (7, 91, Status.PASSED)


def test_tiles_get_the_widest_halo_asked_for(stand_in: Any) -> None:
    seen: list[int] = []

    class Wide(TileCheck[Any]):
        def halo(self) -> float:
            return 2.0

        def map(self, tile: Tile) -> int:
            seen.append(len(tile.features))
            return tile.owned

        def reduce(self, partials: Sequence[int]) -> RuleOutcome:
            return RuleOutcome(checked=sum(partials))

    stand_in(MustNotOverlap, Wide)
    data = memory_vector([shapely.Point(i, i) for i in range(10)])
    result, _ = run_rule(MustNotOverlap(), data, tile_size=5)
    assert result.checked == 10
    assert seen == [7, 7]


def test_windows_cover_the_raster_once(stand_in: Any) -> None:
    class Adds(WindowCheck[Any]):
        def map(self, window: PixelWindow) -> int:
            return int(window.values.sum())

        def reduce(self, partials: Sequence[int]) -> RuleOutcome:
            return RuleOutcome(checked=1, value=sum(partials), passed=True, threshold=0)

    stand_in(PixelRange, Adds)
    values = np.arange(35 * 50).reshape(1, 35, 50)
    result, _ = run_rule(PixelRange(min=0), memory_raster(values, block=16), jobs=2)
    assert result.value == values.sum()


def test_where_does_not_apply_to_rasters() -> None:
    with pytest.raises(ValidationError, match="where: a raster has no columns"):
        PixelRange(min=0, where="a = 1")
    of_both = RoundTrips(format="GTiff", where="a = 1")
    result, _ = run_rule(of_both, memory_raster(np.zeros((1, 2, 2))))
    assert result.status is Status.ERROR
    assert "a raster has no columns" in result.message


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    rules = [NotEmpty(), FeatureCount(min=1)]
    asyncio.run(evaluate(rules, POINTS, progress=lambda d, t: seen.append((d, t))))
    assert seen[-1] == (POINTS.batch_count(), POINTS.batch_count())


def test_every_rule_of_the_catalogue_has_a_check_for_each_of_its_kinds() -> None:
    from spatial_pipeline.contract.rules import CATALOGUE

    catalogue.load()
    for model in CATALOGUE.values():
        for kind in model.kinds:
            assert base.check_class(model, kind)


def test_no_rules_no_results() -> None:
    assert asyncio.run(evaluate([], POINTS)) == []


def test_checks_are_imported_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    load, where = catalogue.load_for, []

    def loading(rules: Sequence[Rule]) -> None:
        where.append(threading.get_ident())
        load(rules)

    monkeypatch.setattr(catalogue, "load_for", loading)
    asyncio.run(evaluate([NotEmpty()], POINTS))
    assert len(where) == 1
    assert where[0] != threading.get_ident()


def test_what_a_check_returns_is_short_as_text(stand_in: Any) -> None:
    stand_in(NotEmpty, EveryFeature)
    _, violations = run_rule(NotEmpty(), POINTS)
    assert repr(violations) == "<10 violations>"

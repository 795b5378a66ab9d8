"""Accepted violations are left out and counted; everything else stays."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.suppress import (
    Suppression,
    area_of,
    fingerprints,
    grid_of,
    key_texts,
    parsed,
    updated,
    without_accepted,
)
from spatial_pipeline.contract.rules.metadata import FeatureCount, NotNull, Unique
from spatial_pipeline.contract.rules.topology import MustNotOverlap
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violations import RuleOutcome, Violations
from spatial_pipeline_tests.support import memory_vector

RULE = NotNull(columns=("name",))


def found(n: int, **changes: Any) -> Violations:
    values: dict[str, Any] = {
        "geometry": shapely.points(np.arange(n), np.zeros(n)),
        "keys": [((i,),) for i in range(n)],
        **changes,
    }
    return Violations.build(np.arange(n), "null", **values)


def judged(rule: Any, data: Any, accepted: Suppression | None) -> tuple[Result, Violations]:
    done = evaluate([rule], data, key=("id",), accepted=lambda _: accepted)
    return asyncio.run(done)[0]


def squares() -> Any:
    """Two pairs of overlapping squares, far from each other."""
    boxes = [shapely.box(x, 0, x + 10, 10) for x in (0, 9, 100, 108)]
    return memory_vector(boxes, {"id": [1, 2, 3, 4]})


def test_areas_leave_out_what_lies_inside_of_them() -> None:
    area = memory_vector([shapely.box(95, -1, 130, 11)])
    union, note = area_of(area, squares().profile)
    assert note == ""
    result, violations = judged(MustNotOverlap(), squares(), Suppression(areas=union))
    assert (result.status, result.violations, result.excepted) == (Status.FAILED, 1, {"areas": 1})
    assert violations.keys is not None
    assert violations.keys.tolist() == [((1,), (2,))]
    assert result.message == "1 of 4 violate; 1 accepted by areas"
    assert [v.keys for v in result.sample] == [((1,), (2,))]


def test_a_violation_that_sticks_out_of_the_area_stays() -> None:
    area = memory_vector([shapely.box(95, 1, 130, 11)])
    union, _ = area_of(area, squares().profile)
    result, _ = judged(MustNotOverlap(), squares(), Suppression(areas=union))
    assert (result.violations, result.excepted) == (2, {})


def test_only_violations_that_touch_an_area_count() -> None:
    union, _ = area_of(memory_vector([shapely.box(109, 2, 130, 3)]), squares().profile)
    result, violations = judged(MustNotOverlap(), squares(), Suppression(only=union))
    assert (result.status, result.violations) == (Status.FAILED, 1)
    assert result.excepted == {"only_within": 1}
    assert violations.keys is not None
    assert violations.keys.tolist() == [((3,), (4,))]
    assert result.message == "1 of 4 violate; 1 outside of only_within"
    apart, _ = area_of(memory_vector([shapely.box(50, 0, 51, 1)]), squares().profile)
    assert judged(MustNotOverlap(), squares(), Suppression(only=apart))[0].passed


def test_a_violation_without_a_place_counts_everywhere() -> None:
    outcome = RuleOutcome(1, found(1, geometry=None))
    remaining = without_accepted(outcome, Suppression(only=shapely.box(5, 5, 6, 6)))
    assert (len(remaining.outcome.violations), remaining.counts) == (1, {})


def test_areas_in_another_crs_are_transformed() -> None:
    area = memory_vector([shapely.box(95, -1, 130, 11)], crs="EPSG:32633")
    data = memory_vector([], crs="EPSG:4326")
    union, note = area_of(area, data.profile)
    assert "accuracy" in note or note
    assert -180 < union.bounds[0] < union.bounds[2] < 180


def test_invalid_areas_are_an_error() -> None:
    area = memory_vector([shapely.Polygon([(0, 0), (1, 1), (0, 1), (1, 0)])])
    with pytest.raises(RuleError, match="1 of the accepted areas are not valid"):
        area_of(area, squares().profile)


def test_keys_leave_out_violations_all_of_whose_features_are_listed() -> None:
    some = Suppression(keys=key_texts([[1], [2], [3]]))
    result, violations = judged(MustNotOverlap(), squares(), some)
    assert (result.status, result.excepted) == (Status.FAILED, {"keys": 1})
    assert violations.keys is not None
    assert violations.keys.tolist() == [((3,), (4,))]
    everything = Suppression(keys=key_texts([[1], [2], [3], [4]]))
    result, violations = judged(MustNotOverlap(), squares(), everything)
    assert (result.status, result.violations, len(violations)) == (Status.PASSED, 0, 0)
    assert result.message == "4 checked; 2 accepted by keys"


def test_keys_are_told_apart_by_type() -> None:
    assert key_texts([["1"]]) != key_texts([[1]])


def baseline_of(rule: Any, violations: Violations, data: Any) -> Any:
    text = updated(None, "b.json", None, [(rule, violations)], data.profile)
    return parsed(text, "b.json", rule.check_name, None)


def test_a_baseline_accepts_what_it_lists_and_nothing_new() -> None:
    rule, data = MustNotOverlap(), squares()
    _, violations = judged(rule, data, None)
    result, left = judged(rule, data, Suppression(baseline=baseline_of(rule, violations, data)))
    assert (result.status, result.excepted, len(left)) == (Status.PASSED, {"baseline": 2}, 0)
    more = memory_vector(
        [*data.everything.geometry, shapely.box(0, 9, 5, 20)], {"id": [1, 2, 3, 4, 5]}
    )
    result, left = judged(rule, more, Suppression(baseline=baseline_of(rule, violations, data)))
    assert (result.status, result.violations) == (Status.FAILED, 1)
    assert left.keys is not None
    assert left.keys.tolist() == [((1,), (5,))]


def test_what_went_away_is_named() -> None:
    rule, data = MustNotOverlap(), squares()
    _, violations = judged(rule, data, None)
    baseline = baseline_of(rule, violations, data)
    mended = memory_vector(list(data.everything.geometry[:3]), {"id": [1, 2, 3]})
    result, _ = judged(rule, mended, Suppression(baseline=baseline))
    assert result.status is Status.PASSED
    assert "1 of the baseline are gone: [3],[4]@" in result.message


def test_the_same_defect_elsewhere_is_new() -> None:
    rule, data = MustNotOverlap(), squares()
    _, violations = judged(rule, data, None)
    moved = [shapely.affinity.translate(g, 0, 1) for g in data.everything.geometry]
    shifted = memory_vector(moved, {"id": [1, 2, 3, 4]})
    accepted = Suppression(baseline=baseline_of(rule, violations, data))
    result, _ = judged(rule, shifted, accepted)
    assert (result.status, result.violations) == (Status.FAILED, 2)


def test_two_alike_are_accepted_only_as_often_as_listed() -> None:
    twice = found(1).take([0, 0])
    baseline = baseline_of(RULE, found(1), memory_vector([]))
    remaining = without_accepted(RuleOutcome(2, twice), Suppression(baseline=baseline))
    assert remaining.counts == {"baseline": 1}
    assert len(remaining.outcome.violations) == 1


def test_without_keys_and_place_the_reason_counts() -> None:
    def lone(reason: str) -> Violations:
        return Violations.build([-1], reason, keys=[()])

    accepted = Suppression(baseline=baseline_of(RULE, lone("old"), memory_vector([])))
    assert without_accepted(RuleOutcome(1, lone("old")), accepted).counts
    assert not without_accepted(RuleOutcome(1, lone("new")), accepted).counts


def test_a_rule_that_judges_one_number_stays_failed() -> None:
    rule = FeatureCount(min=9)
    result, _ = judged(rule, squares(), Suppression(keys=key_texts([[1]])))
    assert result.status is Status.FAILED
    violations = found(1)
    outcome = RuleOutcome(1, violations, passed=False)
    remaining = without_accepted(outcome, Suppression(keys=key_texts([[0]])))
    assert remaining.outcome.passed is False
    assert remaining.counts == {}
    assert remaining.outcome.notes == ("the rule judges one number, of which nothing is accepted",)


@pytest.mark.parametrize(
    ("measure", "violations", "left"), [([3.0, 4.0], 7, 3), ([np.nan, np.nan], 7, 6)]
)
def test_findings_that_are_several_violations(measure: Any, violations: int, left: int) -> None:
    several = found(2, measure=measure)
    outcome = RuleOutcome(100, several, count=violations)
    remaining = without_accepted(outcome, Suppression(keys=key_texts([[1]])))
    assert remaining.outcome.count == left
    gone = without_accepted(outcome, Suppression(keys=key_texts([[0], [1]])))
    assert gone.outcome.count == 0


def test_a_baseline_keeps_what_it_says_of_others() -> None:
    profile = squares().profile
    first = updated(None, "b.json", None, [(RULE, found(2))], profile)
    unique = Unique(columns=("name",))
    second = updated(first, "b.json", "north", [(unique, found(1))], profile)
    assert set(json.loads(second)["rules"]) == {"not_null", "unique[north]"}
    assert parsed(second, "b.json", "unique", None) is None
    kept = parsed(second, "b.json", "not_null", None)
    assert kept is not None
    assert kept.known == Counter(fingerprints(found(2), kept.grid))
    emptied = updated(second, "b.json", None, [(RULE, Violations.none())], profile)
    assert json.loads(emptied)["rules"]["not_null"]["accepted"] == []


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"baseline": 2, "rules": {}}', b'{"baseline": 1, "rules": []}',
     b'{"baseline": 1, "rules": {"unique": {}}}',
     b'{"baseline": 1, "rules": {"unique": {"grid": 0, "accepted": []}}}'],
)  # fmt: skip
def test_what_is_no_baseline_is_an_error(text: bytes) -> None:
    with pytest.raises(RuleError, match=r"baseline b\.json cannot be read"):
        parsed(text, "b.json", "unique", None)


def test_the_grid_is_the_tolerance_or_a_part_of_the_extent() -> None:
    profile = memory_vector([shapely.box(0, 0, 1000, 10)]).profile
    assert grid_of(RULE, profile) == pytest.approx(1e-6)
    assert grid_of(MustNotOverlap(tolerance=0.5), profile) == 0.5
    assert grid_of(RULE, memory_vector([]).profile) == 1e-9


@settings(max_examples=40, deadline=None)
@given(
    old=st.lists(st.integers(0, 5), max_size=8),
    now=st.lists(st.integers(0, 5), max_size=8),
)
def test_new_ones_are_the_difference_of_multisets(old: list[int], now: list[int]) -> None:
    def violations(values: list[int]) -> Violations:
        return Violations.build(
            np.asarray(values, dtype=np.int64),
            "x",
            [shapely.Point(v, v) for v in values],
            keys=[((v,),) for v in values],
        )

    baseline = baseline_of(RULE, violations(old), memory_vector([]))
    outcome = RuleOutcome(len(now), violations(now))
    remaining = without_accepted(outcome, Suppression(baseline=baseline))
    left = Counter(int(r) for r in remaining.outcome.violations.rows[:, 0])
    assert left == Counter(now) - Counter(old)
    gone = sum((Counter(old) - Counter(now)).values())
    said = any(n.startswith(f"{gone} of the baseline are gone") for n in remaining.outcome.notes)
    assert said == bool(gone)

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.selection import selected, shared
from spatial_pipeline_tests.report.cases import PASSED, result, violations


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), max_size=12), st.integers(0, 200))
def test_shares_are_fair_and_use_all_there_is(counts: list[int], limit: int) -> None:
    shares = shared(counts, limit)
    assert sum(shares) == min(limit, sum(counts))
    cut = [s for s, c in zip(shares, counts, strict=True) if s < c]
    assert all(0 <= s <= c for s, c in zip(shares, counts, strict=True))
    if cut:
        # Nobody with a cut gets less than another, but for the rest of a division.
        assert max(shares) - min(cut) <= 1


def test_the_first_of_each_rule_are_taken_and_rules_without_any_left_out() -> None:
    found = selected(
        [(PASSED, Violations.none()), (result("a"), violations()), (result("b"), violations())], 5
    )
    assert [(r.name, len(v)) for r, v in found] == [("a", 2), ("b", 3)]
    assert found[0][1].rows.ravel().tolist() == [0, 1]


def test_the_sample_stands_for_violations_that_are_not_at_hand() -> None:
    ((_, found),) = selected([(result(), Violations.none())], 5)
    assert found.keys is not None
    assert found.keys.tolist() == [(("08001",), ("08005",))]
    assert (found.geometry[0].x, found.geometry[0].y) == (1, 2)
    assert (found.measure[0], found.unit) == (0.0031, "m²")

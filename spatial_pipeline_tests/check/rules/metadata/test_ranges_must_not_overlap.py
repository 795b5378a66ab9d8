import itertools
import math

import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata import ranges_must_not_overlap
from spatial_pipeline.contract.rules.ranges import RangesMustNotOverlap
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere


def rule(**fields):
    return RangesMustNotOverlap(**{"from": "low", "to": "high", **fields})


def told(of, ranges, **columns):
    points = [shapely.Point(i, 0) for i in range(len(ranges))]
    low, high = zip(*ranges, strict=True) if ranges else ((), ())
    table = {"low": pa.array(low), "high": pa.array(high), **columns}
    result, violations = everywhere(of, points, table)
    return result, [(f[0], f[1], f[3]) for f in violations]


def test_every_pair_that_shares_something():
    result, found = told(rule(), [(0, 10), (10, 20), (5, 12), (30, 40)])
    assert found == [
        ((1, 2), "both have 10 to 12", 2.0),
        ((2, 0), "both have 5 to 10", 5.0),
    ]
    assert (result.status, result.checked, result.violations) == (Status.FAILED, 4, 2)


def test_ends_belong_to_closed_ranges():
    ranges = [(1, 9), (9, 19), (20, 30)]
    assert told(rule(), ranges)[0].passed
    _, found = told(rule(closed="both"), ranges)
    assert found == [((1, 0), "both have 9 to 9", 1.0)]
    assert told(rule(closed="both", tolerance=1), ranges)[0].passed
    assert told(rule(closed="both"), [(1.0, 2.0), (2.0, 3.0)])[1] == [
        ((1, 0), "both have 2 to 2", 0.0)
    ]


def test_groups_and_sides_of_a_street():
    ranges = [(1, 9), (2, 8), (3, 5), (1, 9)]
    of = rule(closed="both", parity=True, group_by=("street",))
    _, found = told(of, ranges, street=["a", "a", "a", None])
    assert [f[0] for f in found] == [(2, 0)]


def test_what_is_no_range():
    result, found = told(rule(), [(10, 0), (None, 5), (3, 4)])
    assert [f[0] for f in found] == [(2, 0)]
    assert "1 range without two numbers not judged" in result.message
    assert "1 range taken as if they ran forwards" in result.message
    assert told(rule(), [(math.nan, 1.0), (math.inf, 1.0)])[0].checked == 0
    result, _ = told(rule(), [("a", "b")])
    assert (result.status, result.message) == (
        Status.ERROR, "column low holds string, no numbers",
    )  # fmt: skip


def test_pairs_beyond_a_bound_are_counted(monkeypatch):
    monkeypatch.setattr(ranges_must_not_overlap, "MOST", 2)
    result, found = told(rule(), [(0, 10)] * 4)
    assert (len(found), result.violations) == (2, 6)
    assert "6 pairs, of which 2 are listed" in result.message


RANGES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=7)


@settings(max_examples=40, deadline=None)
@given(RANGES, st.booleans(), st.booleans(), st.integers(0, 3))
def test_pairs_are_those_of_all_sets_of_numbers(ranges, closed, parity, tolerance):
    of = rule(closed="both" if closed else "left", parity=parity, tolerance=tolerance)
    _, found = told(of, ranges)
    expected = set()
    for (i, a), (j, b) in itertools.combinations(enumerate(ranges), 2):
        if parity and min(a) % 2 != min(b) % 2:
            continue
        one, other = (set(range(min(r), max(r) + closed)) for r in (a, b))
        if len(one & other) > tolerance:
            expected.add(frozenset((i, j)))
    assert {frozenset(f[0]) for f in found} == expected
    assert len(found) == len(expected)

import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.ranges import RangesMustNotHaveGaps
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere


def rule(**fields):
    return RangesMustNotHaveGaps(**{"from": "low", "to": "high", **fields})


def told(of, ranges, **columns):
    points = [shapely.Point(i, 0) for i in range(len(ranges))]
    low, high = zip(*ranges, strict=True) if ranges else ((), ())
    table = {"low": pa.array(low), "high": pa.array(high), **columns}
    result, violations = everywhere(of, points, table)
    return result, [(f[0], f[1], f[3]) for f in violations]


def test_what_all_ranges_leave_out():
    ranges = [(0.0, 10.0), (12.5, 20.0), (2.0, 3.0), (20.0, 30.0), (31.0, 32.0)]
    result, found = told(rule(), ranges)
    assert found == [
        ((1, 0), "nothing between 10 and 12.5", 2.5),
        ((4, 3), "nothing between 30 and 31", 1.0),
    ]
    assert (result.status, result.checked) == (Status.FAILED, 5)
    assert len(told(rule(tolerance=1), ranges)[1]) == 1


def test_whole_numbers_follow_each_other():
    closed = rule(closed="both")
    assert told(closed, [(1, 9), (10, 19)])[0].passed
    assert told(closed, [(1, 9), (12, 19)])[1] == [((1, 0), "nothing between 9 and 12", 2.0)]
    sides = rule(closed="both", parity=True, group_by=("street",))
    ranges = [(1, 9), (11, 19), (2, 8), (12, 20), (1, 3)]
    _, found = told(sides, ranges, street=["a"] * 4 + ["b"])
    assert found == [((3, 2), "nothing between 8 and 12", 2.0)]


def test_no_and_one_range():
    assert told(rule(), [(3, 4)])[0].passed
    nothing = {name: pa.array([], pa.int8()) for name in ("low", "high")}
    assert everywhere(rule(), [], nothing)[0].passed


RANGES = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=7)


@settings(max_examples=40, deadline=None)
@given(RANGES, st.booleans(), st.integers(0, 2))
def test_gaps_are_runs_of_numbers_that_no_range_has(ranges, closed, tolerance):
    of = rule(closed="both" if closed else "left", tolerance=tolerance)
    _, found = told(of, ranges)
    held = {n for r in ranges for n in range(min(r), max(r) + closed)}
    ends = [n for r in ranges for n in r]
    runs, length = [], 0
    for n in range(min(ends), max(ends) + closed):
        length = 0 if n in held else length + 1
        if n not in held and (n + 1 in held or n + 1 == max(ends) + closed):
            runs.append(length)
    # Half-open ranges without a length hold no number, but divide a gap.
    if closed or all(a != b for a, b in ranges):
        assert sorted(f[2] for f in found) == sorted(float(r) for r in runs if r > tolerance)

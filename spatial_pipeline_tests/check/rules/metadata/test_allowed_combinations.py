import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.attributes import AllowedCombinations
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

POINTS = [shapely.Point(i, 0) for i in range(4)]
TABLE = {"use": ["house", "house", "field", None], "floors": [2, 0, 0, 0]}


def rule(*combinations, **fields):
    return AllowedCombinations(columns=("use", "floors"), combinations=combinations, **fields)


def test_only_what_is_listed():
    listed = rule(("house", 2), ("field", 0), (None, 0))
    result, violations = everywhere(listed, POINTS, TABLE)
    assert result.checked == 4
    assert [f[:3] for f in violations] == [
        ((1,), "use 'house', floors 0: not allowed together", "POINT (1 0)")
    ]


def test_all_but_what_is_listed():
    _, violations = everywhere(rule(("house", 0), mode="forbid"), POINTS, TABLE)
    assert [f[:2] for f in violations] == [((1,), "use 'house', floors 0: forbidden together")]


def test_a_wildcard_is_any_value():
    assert everywhere(rule(("*", 0), ("house", 2), wildcard="*"), POINTS, TABLE)[0].passed
    assert not everywhere(rule(("*", 0), ("house", 2)), POINTS, TABLE)[0].passed


def test_mistakes():
    with pytest.raises(pydantic.ValidationError, match="one value for each"):
        rule(("house",))
    result, _ = everywhere(rule(("a", 1)), POINTS, {"use": ["a"] * 4})
    assert (result.status, result.message) == (Status.ERROR, "needs column floors")


CELLS = st.tuples(st.none() | st.sampled_from("ab"), st.none() | st.integers(0, 2))


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=8), st.lists(CELLS, min_size=1, max_size=4))
def test_rows_are_judged_one_by_one(rows, listed):
    points = [shapely.Point(0, 0)] * len(rows)
    table = {"use": [a for a, _ in rows], "floors": [b for _, b in rows]}
    _, violations = everywhere(rule(*listed), points, table)
    assert [f[0][0] for f in violations] == [i for i, r in enumerate(rows) if r not in listed]

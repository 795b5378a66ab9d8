import re

import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.attributes import Matches
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

POINTS = [shapely.Point(i, 0) for i in range(4)]


def test_the_whole_value_matches():
    rule = Matches(column="id", pattern="[A-Z]{2}[0-9]+|none")
    result, violations = everywhere(rule, POINTS, {"id": ["AB1", "none", None, "AB12"]})
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])
    _, violations = everywhere(rule, POINTS, {"id": ["AB1x", "none\n", "", "xAB1"]})
    assert [f[1] for f in violations] == [
        "id is 'AB1x', not [A-Z]{2}[0-9]+|none",
        "id is 'none\\n', not [A-Z]{2}[0-9]+|none",
        "id is '', not [A-Z]{2}[0-9]+|none",
        "id is 'xAB1', not [A-Z]{2}[0-9]+|none",
    ]


def test_whole_numbers_are_text():
    rule = Matches(column="code", pattern="[0-9]{3}")
    _, violations = everywhere(rule, POINTS, {"code": [123, 12, 999, -12]})
    assert [f[0] for f in violations] == [(1,), (3,)]


def test_what_is_no_text_is_an_error():
    result, _ = everywhere(Matches(column="a", pattern="x"), POINTS, {"a": [0.5, 1.0, 2.0, 3.0]})
    assert (result.status, result.message) == (Status.ERROR, "column a holds double, not text")


def test_patterns():
    with pytest.raises(pydantic.ValidationError, match="not a regular expression"):
        Matches(column="a", pattern="(")
    result, _ = everywhere(Matches(column="a", pattern="(?=x)x"), POINTS, {"a": ["x"] * 4})
    assert result.status is Status.ERROR
    assert "RE2" in result.message


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("ab1 \n", max_size=4), min_size=1, max_size=8))
def test_as_the_standard_library_says(values):
    points = [shapely.Point(0, 0)] * len(values)
    _, violations = everywhere(Matches(column="a", pattern="a*b?1{0,2}"), points, {"a": values})
    bad = [i for i, v in enumerate(values) if not re.fullmatch("a*b?1{0,2}", v)]
    assert [f[0] for f in violations] == [(i,) for i in bad]

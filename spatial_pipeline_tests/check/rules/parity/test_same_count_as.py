import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.parity import SameCountAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import CountedVector
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = {"uri": "old.gpkg"}


def layer(kinds, batch_size=2):
    shapes = [shapely.Point(i, 0) if i % 2 else None for i in range(len(kinds))]
    return memory_vector(shapes, {"kind": list(kinds)}, batch_size=batch_size)


def judged(here, there, **parameters):
    other = there if isinstance(there, CountedVector) else layer(there)
    return run_rule(SameCountAs(other=OTHER, **parameters), layer(here), other)[0]


@pytest.mark.parametrize(
    ("here", "there", "options", "passed", "message"),
    [
        ("ab", "ab", {}, True, "2 features here, 2 in the other"),
        ("a", "abc", {}, False, "1 feature here, 3 in the other: 2 fewer"),
        ("abc", "", {}, False, "3 features here, 0 in the other: 3 more"),
        ("abc", "a", {"tolerance": 2}, True,
         "3 features here, 1 in the other: 2 more, 2 accepted"),
        ("abc", "a", {"tolerance": 1}, False,
         "3 features here, 1 in the other: 2 more, 1 accepted"),
        ("abc", "abcd", {"max_fraction": 0.25}, True,
         "3 features here, 4 in the other: 1 fewer, 1 accepted"),
        ("ab", "abcd", {"max_fraction": 0.25}, False,
         "2 features here, 4 in the other: 2 fewer, 1 accepted"),
        ("", "", {}, True, "0 features here, 0 in the other"),
        ("aab", "aabbb", {"where": "kind = 'a'"}, True, "2 features here, 2 in the other"),
        ("aab", "abb", {"where": "kind = 'a'"}, False, "2 features here, 1 in the other: 1 more"),
    ],
)  # fmt: skip
def test_two_numbers(here, there, options, passed, message):
    result = judged(here, there, **options)
    assert (result.passed, result.message) == (passed, message)
    assert result.violations == (not passed)
    assert result.checked == int(message.split()[0])


@settings(max_examples=40, deadline=None)
@given(
    st.text("ab", max_size=7), st.text("ab", max_size=7), st.integers(0, 4), st.integers(1, 4),
    st.sampled_from([None, "kind = 'a'"]),
)  # fmt: skip
def test_as_counted_by_hand(here, there, tolerance, batch_size, where):
    rule = SameCountAs(other=OTHER, tolerance=tolerance, where=where)
    result, _ = run_rule(rule, layer(here, batch_size), layer(there, batch_size), jobs=2)
    difference = abs(
        len(here) - len(there) if where is None else here.count("a") - there.count("a")
    )
    assert (result.value, result.threshold) == (difference, tolerance)
    assert result.passed is (difference <= tolerance)


def test_what_is_only_counted_is_enough():
    counted = CountedVector(VectorProfile(uri="postgresql:", layer="gis.old", count=2))
    assert judged("ab", counted).message == "2 features here, 2 in the other"
    refused = judged("ab", counted, where="kind = 'a'")
    assert refused.status is Status.ERROR
    assert "counted, not read" in refused.message
    with pytest.raises(RuleError):
        counted.feature_bounds()
    other = CountedVector(VectorProfile(uri="postgresql:", layer="gis.old", count=3))
    assert counted.version_id != other.version_id


def test_a_condition_that_only_one_side_understands():
    there = memory_vector([None], {"type": ["a"]})
    rule = SameCountAs(other=OTHER, where="kind = 'a'")
    result, _ = run_rule(rule, layer("a"), there)
    assert result.status is Status.ERROR
    assert "kind" in result.message


@pytest.mark.parametrize("options", [{"tolerance": -1}, {"tolerance": 1.5}, {"other": None}])
def test_bounds_that_make_no_sense(options):
    with pytest.raises(pydantic.ValidationError):
        SameCountAs(**{"other": OTHER, **options})

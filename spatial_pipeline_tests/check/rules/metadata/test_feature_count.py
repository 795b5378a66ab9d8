import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.metadata import FeatureCount
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere


def points(n):
    return [shapely.Point(i, 0) if i % 2 else None for i in range(n)]


def test_within_bounds():
    result, violations = everywhere(FeatureCount(min=2, max=4), points(3))
    assert (result.status, result.value, result.violations, violations) == (Status.PASSED, 3, 0, [])
    assert result.message == "3 features, expected 2 to 4"


@pytest.mark.parametrize(
    ("options", "count", "threshold", "message"),
    [
        ({"min": 2}, 1, 2, "1 feature, expected at least 2"),
        ({"max": 2}, 3, 2, "3 features, expected at most 2"),
        ({"min": 2, "max": 4}, 0, 2, "0 features, expected 2 to 4"),
        ({"min": 2, "max": 4}, 5, 4, "5 features, expected 2 to 4"),
        ({"min": 2, "max": 2}, 5, 2, "5 features, expected exactly 2"),
    ],
)
def test_out_of_bounds(options, count, threshold, message):
    result, _ = everywhere(FeatureCount(**options), points(count))
    assert (result.status, result.violations) == (Status.FAILED, 1)
    assert (result.value, result.threshold, result.message) == (count, threshold, message)


def test_only_selected_features_count():
    result, _ = everywhere(
        FeatureCount(max=1, where="kind = 'a'"), points(3), {"kind": ["a", "b", None]}
    )
    assert (result.status, result.value) == (Status.PASSED, 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_the_count_is_compared_with_both_bounds(count, one, two):
    least, most = sorted((one, two))
    result, _ = everywhere(FeatureCount(min=least, max=most), points(count))
    assert result.passed is (least <= count <= most)
    assert result.value == count


@pytest.mark.parametrize("options", [{}, {"min": 2, "max": 1}, {"min": -1}])
def test_bounds_that_make_no_sense(options):
    with pytest.raises(pydantic.ValidationError):
        FeatureCount(**options)

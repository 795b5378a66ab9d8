import dataclasses
import math

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.accuracy import PositionalAccuracy
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="controls.gpkg")


def points(places, keys=None, **options):
    names = {"id": keys or list(range(len(places)))}
    return memory_vector(
        [None if p is None else shapely.Point(*p) for p in places], names, **options
    )


def judged(rule, places, controls, keys=None, **options):
    """The same for every cut."""
    answers = []
    for size, jobs in ((1000, 1), (1, 2), (2, 2)):
        data = points(places, keys, batch_size=size, **options)
        result, violations = run_rule(rule, data, controls, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), violations))
        assert answers[-1][0] == answers[0][0]
    return answers[0]


def test_positional_accuracy_names_points_beyond_the_limit():
    controls = points([(0, 0), (10, 0), (20, 0)], [7, 8, 9])
    rule = PositionalAccuracy(other=OTHER, key=["id"], rmse=2)
    result, violations = judged(rule, [(0, 1), (13, 4), (1, 1), None], controls, [7, 8, 1, 9])
    assert (result.status, result.checked) == (Status.FAILED, 2)
    assert math.isclose(result.value, math.sqrt((1 + 25) / 2))
    assert violations.reasons.tolist() == ["5 m from its control point"]
    assert violations.rows[:, 0].tolist() == [1]
    assert violations.geometry[0].equals(shapely.LineString([(13, 4), (10, 0)]))
    assert "RMSE 3.605551 m is larger than 2" in result.message
    assert "1 control points have no point here" in result.message
    loose = PositionalAccuracy(other=OTHER, key=["id"], rmse=3.61, percentile95=5)
    assert judged(loose, [(0, 1), (13, 4)], controls, [7, 8])[0].passed


def test_positional_accuracy_of_degrees_is_in_metres():
    there = points([(10, 60)], crs="EPSG:4326")
    gap = pyproj.Geod(ellps="WGS84").inv(10, 60, 10.001, 60)[2]
    rule = PositionalAccuracy(other=OTHER, key=["id"], percentile95=gap - 0.01)
    result, violations = judged(rule, [(10.001, 60)], there, crs="EPSG:4326")
    assert violations.measure[0] == pytest.approx(gap)
    assert "CE95" in result.message


def test_positional_accuracy_says_what_is_missing():
    rule = PositionalAccuracy(other=OTHER, key=["id"], rmse=1)
    result, _ = judged(rule, [(0, 0)], points([(0, 0)], [5]))
    assert (result.status, "no key" in result.message) == (Status.ERROR, True)
    result, _ = judged(rule, [(0, 0)], points([(0, 0), (1, 1)], [5, 5]))
    assert (result.status, "stands twice" in result.message) == (Status.ERROR, True)
    result, _ = judged(rule, [(0, 0)], memory_vector([shapely.Point(0, 0)], {"name": [1]}))
    assert (result.status, "needs column id" in result.message) == (Status.ERROR, True)


@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 4), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_positional_accuracy_is_the_distance_of_every_pair(pairs):
    controls = points([(c, d) for *_, c, d in pairs])
    rule = PositionalAccuracy(other=OTHER, key=["id"], percentile95=3)
    result, violations = judged(rule, [(a, b) for a, b, *_ in pairs], controls)
    sizes = sorted(math.hypot(a - c, b - d) for a, b, c, d in pairs)
    fails = sizes[math.ceil(0.95 * len(sizes)) - 1] > 3
    assert result.passed is not fails
    expected = [s for s in sizes if s > 3] if fails else []
    np.testing.assert_allclose(sorted(violations.measure), expected)

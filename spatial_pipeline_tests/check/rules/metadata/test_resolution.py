import math

from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import Resolution
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


def test_resolution():
    data = raster(transform=(30, 0, 500000, 0, -20, 4000000))
    assert run_rule(Resolution(equals=(30, 20)), data)[0].passed
    result, violations = run_rule(Resolution(equals=30), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["pixel height 20, expected 30"]
    assert violations.measure.tolist() == [10]
    assert violations.unit == "metre"
    assert (result.value, result.threshold) == (10, 1e-9)
    assert run_rule(Resolution(equals=30, tolerance=10), data)[0].passed


def test_resolution_at_the_tolerance_passes_in_spite_of_rounding():
    # 0.1 + 0.2 is more than 0.3, and 2.4 - 2.3 more than 0.1.
    data = raster(transform=(2.4, 0, 500000, 0, -(0.1 + 0.2), 4000000))
    result, _ = run_rule(Resolution(equals=(2.3, 0.3), tolerance=0.1), data)
    assert result.passed
    assert (result.value, result.threshold) == (0.1, 0.1)
    assert run_rule(Resolution(equals=(2.4, 0.3), tolerance=0), data)[0].passed
    result, _ = run_rule(Resolution(equals=(2.3, 0.3), tolerance=0.0999999999), data)
    assert result.status is Status.FAILED


@given(st.floats(-7, 7), st.floats(0.5, 50), st.floats(0.5, 50))
@settings(max_examples=25, deadline=None)
def test_resolution_of_a_turned_raster_is_the_length_of_its_pixel_vectors(angle, width, height):
    c, s = math.cos(angle), math.sin(angle)
    data = raster(transform=(width * c, -height * s, 10, width * s, height * c, 20))
    assert run_rule(Resolution(equals=(width, height)), data)[0].passed
    assert not run_rule(Resolution(equals=(width * 1.01, height)), data)[0].passed

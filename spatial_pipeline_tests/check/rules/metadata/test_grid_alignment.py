import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import GridAlignment
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.metadata.rasters import OTHER, raster
from spatial_pipeline_tests.support import run_rule


def test_grid_alignment_passes_on_the_grid_and_measures_the_offset():
    rule = GridAlignment(origin=(0, 0), resolution=30)
    assert run_rule(rule, raster(transform=(30, 0, 300, 0, -30, 900)))[0].passed
    assert run_rule(rule, raster(transform=(30, 0, -300, 0, 30, -900)))[0].passed
    result, violations = run_rule(rule, raster(transform=(30, 0, 315, 0, -30, 900)))
    assert result.status is Status.FAILED
    assert result.value == 0.5
    assert (result.checked, result.violations) == (4, 4)
    assert violations.unit == "px"
    assert violations.measure.tolist() == [0.5] * 4
    assert sorted(g.wkt for g in violations.geometry) == [
        "POINT (315 780)",
        "POINT (315 900)",
        "POINT (465 780)",
        "POINT (465 900)",
    ]
    assert "first corner is 0.5 px off the grid" in violations.reasons.tolist()


def test_grid_alignment_at_the_tolerance_passes_in_spite_of_rounding():
    rule = GridAlignment(origin=(0, 0), resolution=10, tolerance=0.01)
    data = raster(1, 64, 64, transform=(10, 0, 500000.1, 0, -10, 4000000))
    result, _ = run_rule(rule, data)
    assert result.passed
    assert (result.value, result.message.split(" at")[0]) == (0.01, "0.01 px off the grid")
    data = raster(1, 64, 64, transform=(10, 0, 500000.10001, 0, -10, 4000000))
    assert run_rule(rule, data)[0].status is Status.FAILED
    # Degrees of a 3-arc-second grid have no finite decimal form; none at all is accepted.
    third = 1 / 1200
    data = raster(1, 3600, 3600, transform=(third, 0, 10 + 7 * third, 0, -third, 50 - 3 * third))
    exact = GridAlignment(origin=(0, 0), resolution=third, tolerance=0)
    assert run_rule(exact, data)[0].passed


def test_grid_alignment_sees_a_drift_that_only_the_far_corners_show():
    rule = GridAlignment(origin=(0, 0), resolution=(30, 30), tolerance=0.1)
    data = raster(height=1, width=1000, transform=(30.01, 0, 0, 0, -30, 0))
    result, violations = run_rule(rule, data)
    assert result.status is Status.FAILED
    assert result.value == pytest.approx(1000 * 0.01 / 30)
    assert len(violations) == 2
    assert "pixels are 30.01 × 30, the cells 30 × 30" in result.message


@pytest.mark.parametrize(
    "transform",
    [
        (60, 0, 0, 0, -60, 0),
        (15, 0, 0, 0, -15, 0),
        (30 / math.sqrt(2), 30 / math.sqrt(2), 0, 30 / math.sqrt(2), -30 / math.sqrt(2), 0),
        (30, 0, 0, 30, -30, 0),
    ],
)
def test_grid_alignment_fails_for_pixels_that_are_no_cells_whatever_the_tolerance(transform):
    for tolerance in (0.0, 0.01, 100.0):
        rule = GridAlignment(origin=(0, 0), resolution=30, tolerance=tolerance)
        result, violations = run_rule(rule, raster(transform=transform))
        assert result.status is Status.FAILED
        assert len(violations) == 1


def test_grid_alignment_accepts_a_quarter_turn():
    rule = GridAlignment(origin=(0, 0), resolution=30)
    assert run_rule(rule, raster(transform=(0, 30, 60, -30, 0, 90)))[0].passed


def test_grid_alignment_with_another_raster():
    rule = GridAlignment(other=OTHER)
    data = raster(transform=(2, 0, 100, 0, -2, 200))
    assert run_rule(rule, data, raster(transform=(2, 0, 4, 0, -2, 8)))[0].passed
    result, _ = run_rule(rule, data, raster(transform=(2, 0, 5, 0, -2, 8)))
    assert (result.status, result.value) == (Status.FAILED, 0.5)
    result, violations = run_rule(rule, data, raster(crs="EPSG:32632"))
    assert result.status is Status.FAILED
    assert "the grid is in WGS 84 / UTM zone 32N" in violations.reasons[0]
    result, _ = run_rule(rule, data, raster(crs=None))
    assert result.status is Status.ERROR
    assert "needs crs" in result.message
    alone = raster(crs=None, transform=(2, 0, 100, 0, -2, 200))
    result, _ = run_rule(rule, alone, raster(crs=None, transform=(2, 0, 4, 0, -2, 8)))
    assert result.passed
    assert "neither raster has a CRS" in result.message


def test_grid_alignment_with_axes_in_another_order_is_the_same_crs():
    rule = GridAlignment(other=OTHER)
    result, _ = run_rule(rule, raster(crs="OGC:CRS84"), raster(crs="EPSG:4326"))
    assert result.passed


def test_a_degenerate_grid_is_an_error():
    flat = raster(transform=(0, 0, 0, 0, 0, 0))
    result, _ = run_rule(GridAlignment(other=OTHER), raster(), flat)
    assert result.status is Status.ERROR
    assert "degenerate" in result.message


@given(
    st.floats(0.1, 100),
    st.integers(-1000, 1000),
    st.integers(-1000, 1000),
    st.floats(-0.49, 0.49),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
@settings(max_examples=60, deadline=None)
def test_grid_alignment_measures_the_shift_and_is_monotone(size, column, row, shift, small, large):
    transform = (size, 0, (column + shift) * size, 0, -size, row * size)
    data = raster(transform=transform)
    small, large = sorted((small, large))
    passed = []
    for tolerance in (small, large):
        rule = GridAlignment(origin=(0, 0), resolution=size, tolerance=tolerance)
        result, _ = run_rule(rule, data)
        assert result.value == pytest.approx(abs(shift), abs=1e-9)
        passed.append(result.passed)
    assert passed != [True, False]

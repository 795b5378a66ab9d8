import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules import OtherSource
from spatial_pipeline.contract.rules.metadata import (
    BandCount,
    CloudOptimized,
    DataTypeRule,
    GridAlignment,
    Nodata,
    Resolution,
)
from spatial_pipeline.model.result import Status
from spatial_pipeline.model.version import BandProfile
from spatial_pipeline_tests.support import memory_raster, run_rule

OTHER = OtherSource(uri="other.tif")


def raster(count=1, height=4, width=5, **profile):
    return memory_raster(np.zeros((count, height, width), np.uint8), **profile)


def banded(*bands):
    return raster(len(bands), bands=tuple(BandProfile(t, n) for t, n in bands))


def test_band_count():
    result, findings = run_rule(BandCount(equals=3), raster(3))
    assert result.passed
    assert (result.value, result.threshold, result.violations) == (3, 3, 0)
    result, findings = run_rule(BandCount(equals=4, max_violations=5), raster(3))
    assert result.status is Status.FAILED
    assert (result.value, result.threshold) == (3, 4)
    assert findings.reasons.tolist() == ["3 bands, expected 4"]
    assert result.sample[0].keys == ()


def test_data_type_names_every_wrong_band():
    data = banded(("uint8", None), ("int16", None), ("float32", None))
    result, findings = run_rule(DataTypeRule(equals="uint8"), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == [
        "band 2: int16, expected uint8",
        "band 3: float32, expected uint8",
    ]
    assert (result.checked, result.violations) == (3, 2)
    result, findings = run_rule(DataTypeRule(any_of=("uint8", "int16")), data)
    assert findings.reasons.tolist() == ["band 3: float32, expected uint8 or int16"]
    result, _ = run_rule(DataTypeRule(any_of=("uint8", "int16", "float32")), data)
    assert result.passed


def test_a_raster_without_bands_proves_nothing():
    for rule in (DataTypeRule(equals="uint8"), Nodata(equals=None)):
        result, _ = run_rule(rule, raster(0))
        assert result.status is Status.ERROR
        assert "needs bands" in result.message


@pytest.mark.parametrize(
    ("promised", "declared", "data_type", "passes"),
    [
        (None, None, "uint8", True),
        (None, 0.0, "uint8", False),
        (None, "nan", "float32", False),
        (255, 255.0, "uint8", True),
        (255, None, "uint8", False),
        (255, 254.0, "uint8", False),
        (math.nan, "nan", "float32", True),
        (math.nan, 0.0, "float32", False),
        (math.nan, None, "float32", False),
        (0, "nan", "float32", False),
        (-9999, -9999.0, "int16", True),
        (0.1, float(np.float32(0.1)), "float32", True),
        (0.1, float(np.float32(0.1)), "float64", False),
        (-1e300, -1e300, "float64", True),
        (1e300, 1.0, "float32", False),
        (math.inf, "inf", "float32", True),
        (-math.inf, "inf", "float32", False),
    ],
)
def test_nodata(promised, declared, data_type, passes):
    result, findings = run_rule(Nodata(equals=promised), banded((data_type, declared)))
    assert result.passed is passes
    assert len(findings) == (not passes)


def test_nodata_names_the_bands():
    data = banded(("uint8", 255.0), ("uint8", None), ("float32", "nan"))
    _, findings = run_rule(Nodata(equals=255), data)
    assert findings.reasons.tolist() == [
        "band 2: no nodata value, expected 255",
        "band 3: nodata nan, expected 255",
    ]
    _, findings = run_rule(Nodata(equals=None), data)
    assert findings.reasons.tolist() == [
        "band 1: nodata 255, expected none",
        "band 3: nodata nan, expected none",
    ]


def test_resolution():
    data = raster(transform=(30, 0, 500000, 0, -20, 4000000))
    assert run_rule(Resolution(equals=(30, 20)), data)[0].passed
    result, findings = run_rule(Resolution(equals=30), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == ["pixel height 20, expected 30"]
    assert findings.measure.tolist() == [10]
    assert findings.unit == "metre"
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


def test_grid_alignment_passes_on_the_grid_and_measures_the_offset():
    rule = GridAlignment(origin=(0, 0), resolution=30)
    assert run_rule(rule, raster(transform=(30, 0, 300, 0, -30, 900)))[0].passed
    assert run_rule(rule, raster(transform=(30, 0, -300, 0, 30, -900)))[0].passed
    result, findings = run_rule(rule, raster(transform=(30, 0, 315, 0, -30, 900)))
    assert result.status is Status.FAILED
    assert result.value == 0.5
    assert (result.checked, result.violations) == (4, 4)
    assert findings.unit == "px"
    assert findings.measure.tolist() == [0.5] * 4
    assert sorted(g.wkt for g in findings.geometry) == [
        "POINT (315 780)",
        "POINT (315 900)",
        "POINT (465 780)",
        "POINT (465 900)",
    ]
    assert "first corner is 0.5 px off the grid" in findings.reasons.tolist()


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
    result, findings = run_rule(rule, data)
    assert result.status is Status.FAILED
    assert result.value == pytest.approx(1000 * 0.01 / 30)
    assert len(findings) == 2
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
        result, findings = run_rule(rule, raster(transform=transform))
        assert result.status is Status.FAILED
        assert len(findings) == 1


def test_grid_alignment_accepts_a_quarter_turn():
    rule = GridAlignment(origin=(0, 0), resolution=30)
    assert run_rule(rule, raster(transform=(0, 30, 60, -30, 0, 90)))[0].passed


def test_grid_alignment_with_another_raster():
    rule = GridAlignment(other=OTHER)
    data = raster(transform=(2, 0, 100, 0, -2, 200))
    assert run_rule(rule, data, raster(transform=(2, 0, 4, 0, -2, 8)))[0].passed
    result, _ = run_rule(rule, data, raster(transform=(2, 0, 5, 0, -2, 8)))
    assert (result.status, result.value) == (Status.FAILED, 0.5)
    result, findings = run_rule(rule, data, raster(crs="EPSG:32632"))
    assert result.status is Status.FAILED
    assert "the grid is in WGS 84 / UTM zone 32N" in findings.reasons[0]
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


def test_cloud_optimized():
    assert run_rule(CloudOptimized(), raster())[0].passed
    data = raster(cog_errors=("no overviews", "not tiled"), cog_warnings=("small",))
    result, findings = run_rule(CloudOptimized(), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == ["no overviews", "not tiled"]
    assert "warning: small" in result.message
    data = raster(cog_warnings=("small",))
    result, _ = run_rule(CloudOptimized(), data)
    assert result.passed
    assert "warning: small" in result.message
    result, findings = run_rule(CloudOptimized(strict=True), data)
    assert result.status is Status.FAILED
    assert findings.reasons.tolist() == ["small"]


def test_an_unreadable_source_passes_nothing():
    data = raster(0, 0, 0, error="broken")
    rules = (
        BandCount(equals=1),
        DataTypeRule(equals="uint8"),
        Nodata(equals=None),
        Resolution(equals=1),
        GridAlignment(origin=(0, 0), resolution=1),
        CloudOptimized(),
    )
    for rule in rules:
        assert run_rule(rule, data)[0].status is Status.ERROR

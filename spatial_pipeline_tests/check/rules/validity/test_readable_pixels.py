import numpy as np

from spatial_pipeline.contract.rules.validity import NodataFraction, PixelRange, ReadablePixels
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BrokenBlock
from spatial_pipeline_tests.check.rules.validity.rasters import _strips  # noqa: F401 - autouse
from spatial_pipeline_tests.support import memory_raster, run_rule


def test_readable_pixels_passes_when_everything_decodes():
    result, violations = run_rule(ReadablePixels(), memory_raster(np.zeros((2, 20, 30)), block=8))
    assert result.passed
    assert result.checked == 1200
    assert len(violations) == 0


def test_readable_pixels_names_the_broken_blocks():
    broken = (
        BrokenBlock(1, 0, 3, 2, (0.0, 0.0, 16.0, 8.0), "ZIPDecode: error"),
        BrokenBlock(2, 1, 0, 1, (16.0, 0.0, 32.0, 8.0), "short read"),
    )
    data = memory_raster(np.zeros((2, 20, 30)), broken_blocks=broken)
    result, violations = run_rule(ReadablePixels(), data)
    assert (result.status, result.violations) == (Status.FAILED, 2)
    assert result.message == "2 blocks do not decode"
    assert violations.reasons.tolist() == [
        "band 1, block row 3, column 2: ZIPDecode: error",
        "band 2, overview 1, block row 0, column 1: short read",
    ]
    assert [g.bounds for g in violations.geometry] == [(0, 0, 16, 8), (16, 0, 32, 8)]
    result, _ = run_rule(PixelRange(min=0), data)
    assert result.passed
    assert "2 blocks of the source do not decode" in result.message


def test_readable_pixels_of_a_refused_source_fails_and_other_rules_say_what_they_need():
    data = memory_raster(np.zeros((0, 0, 0)), error="not a raster")
    result, violations = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["not a raster"]
    assert result.message == "not a raster"
    for rule in (PixelRange(min=0), NodataFraction(max=1)):
        assert run_rule(rule, data)[0].status is Status.ERROR
    broken = (BrokenBlock(1, 0, 0, 0, (0.0, 0.0, 1.0, 1.0), "damaged"),)
    data = memory_raster(np.zeros((0, 0, 0)), error="1 block is broken", broken_blocks=broken)
    _, violations = run_rule(ReadablePixels(), data)
    assert violations.reasons.tolist() == ["band 1, block row 0, column 0: damaged"]


def test_without_a_single_window_nothing_passes():
    data = memory_raster(np.zeros((1, 0, 0)))
    result, _ = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    for rule in (PixelRange(min=0), NodataFraction(max=1)):
        result, _ = run_rule(rule, data)
        assert (result.status, result.message) == (Status.ERROR, "needs readable pixels")


def test_readable_pixels_fails_when_windows_hold_less_than_the_raster():
    data = memory_raster(np.zeros((1, 4, 4)), width=5)
    result, violations = run_rule(ReadablePixels(), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["16 of 20 staged pixels decode"]

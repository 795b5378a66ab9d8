from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import (
    BandCount,
    CloudOptimized,
    DataTypeRule,
    GridAlignment,
    Nodata,
    Resolution,
)
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


def test_band_count():
    result, violations = run_rule(BandCount(equals=3), raster(3))
    assert result.passed
    assert (result.value, result.threshold, result.violations) == (3, 3, 0)
    result, violations = run_rule(BandCount(equals=4), raster(3))
    assert result.status is Status.FAILED
    assert (result.value, result.threshold) == (3, 4)
    assert violations.reasons.tolist() == ["3 bands, expected 4"]
    assert result.sample[0].keys == ()


def test_a_raster_without_bands_proves_nothing():
    for rule in (DataTypeRule(equals="uint8"), Nodata(equals=None)):
        result, _ = run_rule(rule, raster(0))
        assert result.status is Status.ERROR
        assert "needs bands" in result.message


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


@given(NUMBERS, st.integers(1, 4))
def test_files_have_the_bands_that_gdal_counts(number, promised):
    file = raster_file(number)
    rule = BandCount(equals=promised)
    assert run_rule(rule, file.data)[0].passed == (file.truth["count"] == promised)

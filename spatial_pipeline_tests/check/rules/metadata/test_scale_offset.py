import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import ScaleOffset
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule

BANDS = (
    BandProfile("int16", scale=0.1, offset=-273.15, unit="K"),
    BandProfile("int16", scale="nan", offset=0.0),
)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"scale": 0.1}, ["band 2: scale nan, expected 0.1"]),
        ({"scale": 0.1, "unit": "K"}, ["band 2: scale nan, expected 0.1; unit none, expected K"]),
        ({"offset": -273.15}, ["band 2: offset 0, expected -273.15"]),
        ({"unit": "none"}, ["band 1: unit K, expected none"]),
    ],
)
def test_every_band(fields, reasons):
    result, violations = run_rule(ScaleOffset(**fields), raster(2, bands=BANDS))
    assert violations.reasons.tolist() == reasons
    assert not result.passed


def test_a_tolerance_is_relative():
    one = raster(1, bands=BANDS[:1])
    assert run_rule(ScaleOffset(scale=0.1), one)[0].passed
    assert not run_rule(ScaleOffset(scale=0.1001), one)[0].passed
    assert run_rule(ScaleOffset(scale=0.1001, tolerance=0.01), one)[0].passed


@given(NUMBERS, st.sampled_from([1.0, 0.1]), st.sampled_from([0.0, -273.15]))
def test_files_have_the_scales_that_gdal_tells(number, scale, offset):
    file = raster_file(number)
    result, violations = run_rule(ScaleOffset(scale=scale, offset=offset, unit="K"), file.data)
    bands = zip(*(file.truth[name] for name in ("scales", "offsets", "units")), strict=True)
    wrong = sum(band != (scale, offset, "K") for band in bands)
    assert (result.passed, len(violations)) == (not wrong, wrong)

from itertools import zip_longest

from hypothesis import given

from spatial_pipeline.contract.rules.raster_metadata import ColorInterpretation
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule

BANDS = tuple(BandProfile("uint8", color_interpretation=name) for name in ("red", "green"))


def judged(*promised):
    result, violations = run_rule(ColorInterpretation(equals=promised), raster(2, bands=BANDS))
    assert result.passed == (not len(violations))
    return violations.reasons.tolist()


def test_each_band_in_order():
    assert judged("red", "green") == []
    assert judged("green", "red") == [
        "band 1: role red, expected green",
        "band 2: role green, expected red",
    ]


def test_missing_and_further_bands():
    assert judged("red") == ["band 2: role green, expected no band"]
    assert judged("red", "green", "blue") == ["band 3: role no band, expected blue"]


@given(NUMBERS, NUMBERS)
def test_files_have_the_roles_that_gdal_tells(number, other):
    file, promised = raster_file(number), raster_file(other).truth["roles"]
    result, violations = run_rule(ColorInterpretation(equals=promised), file.data)
    wrong = sum(a != b for a, b in zip_longest(file.truth["roles"], promised))
    assert (result.passed, len(violations)) == (not wrong, wrong)

import pytest
from hypothesis import given

from spatial_pipeline.contract.rules.raster_metadata import NotRotated
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


@pytest.mark.parametrize(
    ("transform", "reasons"),
    [
        ((10, 0, 500, 0, -10, 900), []),
        ((10, 1, 0, 1, -10, 0), ["the grid is rotated or sheared: 1, 1"]),
        ((10, 0, 0, 0, 10, 0), ["rows run from south to north: pixel height 10"]),
        ((-10, 0, 0, 0, -10, 0), ["columns run from east to west: pixel width -10"]),
        ((10, 0, 0, 0, 0, 0), ["pixels have no area"]),
    ],
)
def test_transforms(transform, reasons):
    result, violations = run_rule(NotRotated(), raster(transform=transform))
    assert violations.reasons.tolist() == reasons
    assert (result.passed, result.value) == (not reasons, len(reasons))


@given(NUMBERS)
def test_files_are_turned_as_gdal_tells(number):
    file = raster_file(number)
    turned = file.truth["transform"]
    north_up = turned.b == turned.d == 0 and turned.a > 0 > turned.e
    assert run_rule(NotRotated(), file.data)[0].passed == north_up

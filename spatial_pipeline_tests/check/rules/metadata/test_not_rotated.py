import pytest

from spatial_pipeline.contract.rules.raster_metadata import NotRotated
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

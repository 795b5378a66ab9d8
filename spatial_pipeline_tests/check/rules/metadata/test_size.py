from hypothesis import given

from spatial_pipeline.contract.rules.raster_metadata import Size
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


def test_columns_and_rows():
    result, _ = run_rule(Size(equals=(5, 4)), raster(height=4, width=5))
    assert (result.passed, result.checked) == (True, 2)
    result, violations = run_rule(Size(equals=(4, 5)), raster(height=4, width=5))
    assert violations.reasons.tolist() == ["columns 5, expected 4", "rows 4, expected 5"]
    assert not result.passed


@given(NUMBERS, NUMBERS)
def test_files_have_the_size_that_gdal_tells(number, other):
    file, promised = raster_file(number), raster_file(other).truth["size"]
    result, violations = run_rule(Size(equals=promised), file.data)
    wrong = sum(a != b for a, b in zip(file.truth["size"], promised, strict=True))
    assert (result.passed, len(violations)) == (not wrong, wrong)

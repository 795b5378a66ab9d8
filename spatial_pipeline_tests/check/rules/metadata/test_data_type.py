from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import DataTypeRule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, TYPES, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import banded
from spatial_pipeline_tests.support import run_rule


def test_data_type_names_every_wrong_band():
    data = banded(("uint8", None), ("int16", None), ("float32", None))
    result, violations = run_rule(DataTypeRule(equals="uint8"), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == [
        "band 2: int16, expected uint8",
        "band 3: float32, expected uint8",
    ]
    assert (result.checked, result.violations) == (3, 2)
    result, violations = run_rule(DataTypeRule(any_of=("uint8", "int16")), data)
    assert violations.reasons.tolist() == ["band 3: float32, expected uint8 or int16"]
    result, _ = run_rule(DataTypeRule(any_of=("uint8", "int16", "float32")), data)
    assert result.passed


@given(NUMBERS, st.sets(st.sampled_from(TYPES), min_size=1))
def test_files_have_the_types_that_gdal_tells(number, promised):
    file = raster_file(number)
    result, violations = run_rule(DataTypeRule(any_of=tuple(promised)), file.data)
    wrong = sum(found not in promised for found in file.truth["types"])
    assert (result.passed, len(violations)) == (not wrong, wrong)

from spatial_pipeline.contract.rules.raster_metadata import DataTypeRule
from spatial_pipeline.contract.vocabulary import Status
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

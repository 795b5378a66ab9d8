from spatial_pipeline.contract.rules.raster_metadata import RasterMetadata
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


def test_tags():
    data = raster(tags={"AREA_OR_POINT": "Area", "SENSOR": ""})
    rule = RasterMetadata(tags={"AREA_OR_POINT": "Area", "SENSOR": None})
    result, _ = run_rule(rule, data)
    assert (result.passed, result.checked) == (True, 2)
    rule = RasterMetadata(tags={"AREA_OR_POINT": "Point", "ACQUIRED": None})
    result, violations = run_rule(rule, data)
    assert not result.passed
    assert violations.reasons.tolist() == [
        "tag ACQUIRED is missing",
        "tag AREA_OR_POINT is 'Area', expected 'Point'",
    ]

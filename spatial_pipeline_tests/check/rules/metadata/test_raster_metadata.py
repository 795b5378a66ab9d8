from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import RasterMetadata
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, TAGS, raster_file
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


@given(
    NUMBERS, st.dictionaries(st.sampled_from(TAGS), st.sampled_from(["a", "b", None]), min_size=1)
)
def test_files_have_the_tags_that_gdal_tells(number, promised):
    file = raster_file(number)
    result, violations = run_rule(RasterMetadata(tags=promised), file.data)
    tags = file.truth["tags"]
    wrong = sum(k not in tags or v not in (None, tags[k]) for k, v in promised.items())
    assert (result.passed, len(violations)) == (not wrong, wrong)

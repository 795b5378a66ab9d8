import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import Compression
from spatial_pipeline_tests.check.rules.metadata.raster_files import (
    COMPRESSIONS,
    NUMBERS,
    raster_file,
)
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


@pytest.mark.parametrize(
    ("fields", "declared", "reasons"),
    [
        ({"equals": "deflate"}, "DEFLATE", []),
        ({"any_of": ("ZSTD", "LZW")}, "LZW", []),
        ({"equals": "NONE"}, None, []),
        ({"equals": "DEFLATE"}, None, ["compression NONE, expected DEFLATE"]),
        ({"any_of": ("ZSTD", "LZW")}, "JPEG", ["compression JPEG, expected ZSTD or LZW"]),
    ],
)
def test_compression(fields, declared, reasons):
    result, violations = run_rule(Compression(**fields), raster(compression=declared))
    assert violations.reasons.tolist() == reasons
    assert result.passed == (not reasons)


@given(NUMBERS, st.sets(st.sampled_from(COMPRESSIONS), min_size=1))
def test_files_have_the_compression_that_gdal_tells(number, promised):
    file = raster_file(number)
    rule = Compression(any_of=tuple(c or "NONE" for c in promised))
    assert run_rule(rule, file.data)[0].passed == (file.truth["compression"] in promised)

import pytest

from spatial_pipeline.contract.rules.raster_metadata import Compression
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

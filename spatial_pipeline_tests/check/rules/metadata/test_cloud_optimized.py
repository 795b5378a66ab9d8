from spatial_pipeline.contract.rules.raster_metadata import CloudOptimized
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule


def test_cloud_optimized():
    assert run_rule(CloudOptimized(), raster())[0].passed
    data = raster(cog_errors=("no overviews", "not tiled"), cog_warnings=("small",))
    result, violations = run_rule(CloudOptimized(), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["no overviews", "not tiled"]
    assert "warning: small" in result.message
    data = raster(cog_warnings=("small",))
    result, _ = run_rule(CloudOptimized(), data)
    assert result.passed
    assert "warning: small" in result.message
    result, violations = run_rule(CloudOptimized(strict=True), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["small"]

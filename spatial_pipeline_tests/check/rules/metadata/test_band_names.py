from spatial_pipeline.contract.rules.raster_metadata import BandNames
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import run_rule

BANDS = tuple(BandProfile("uint8", description=name) for name in ("red", "nir"))


def judged(*promised):
    result, violations = run_rule(BandNames(equals=promised), raster(2, bands=BANDS))
    assert result.passed == (not len(violations))
    return violations.reasons.tolist()


def test_each_band_in_order():
    assert judged("red", "nir") == []
    assert judged("nir", "red") == [
        "band 1: name red, expected nir",
        "band 2: name nir, expected red",
    ]


def test_missing_and_further_bands():
    assert judged("red") == ["band 2: name nir, expected no band"]
    assert judged("red", "nir", "blue") == ["band 3: name no band, expected blue"]

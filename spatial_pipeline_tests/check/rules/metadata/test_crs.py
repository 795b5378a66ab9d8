import pydantic
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.metadata import Crs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import said
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

BOULDER = shapely.box(-105.3, 39.9, -105.2, 40.1)


def judged(rule, crs, geometry=BOULDER, **profile):
    return run_rule(rule, memory_vector([geometry], crs=crs, **profile))


def test_the_promised_crs_passes():
    result, violations = judged(Crs(equals="EPSG:4326"), "EPSG:4326")
    assert (result.status, result.checked, said(violations)) == (Status.PASSED, 1, [])
    assert result.message == "the CRS is WGS 84 (EPSG:4326)"


def test_lon_lat_data_may_declare_either_order():
    result, _ = judged(Crs(equals="EPSG:4326"), "OGC:CRS84")
    assert result.passed
    assert "files store x before y either way" in result.message
    assert judged(Crs(equals="OGC:CRS84"), "EPSG:4326")[0].passed


def test_swapped_coordinates_are_told_from_lon_lat_ones():
    turned = shapely.box(39.9, -105.3, 40.1, -105.2)
    for declared in ("EPSG:4326", "OGC:CRS84"):
        result, violations = judged(Crs(equals="EPSG:4326"), declared, turned)
        assert result.status is Status.FAILED
        assert said(violations)[0][1] == (
            "the axis order of the coordinates is wrong: "
            "y runs from -105.3 to -105.2, which no latitude does"
        )


def test_another_crs_fails_and_both_are_named():
    result, violations = judged(
        Crs(equals="EPSG:32617"), "EPSG:32618", shapely.box(5e5, 1e6, 6e5, 2e6)
    )
    reason = (
        "the CRS is WGS 84 / UTM zone 18N (EPSG:32618), expected WGS 84 / UTM zone 17N "
        "(EPSG:32617): longitude of natural origin is -75 degree, expected -81 degree"
    )
    assert (result.status, result.message, result.violations) == (Status.FAILED, reason, 1)
    assert said(violations) == [((), reason, None, None, -1, -1, -1)]


def test_any_of_passes_with_one_and_names_all_when_none():
    rule = Crs(any_of=("EPSG:32617", "EPSG:4269"))
    assert judged(rule, "EPSG:4269")[0].passed
    message = judged(rule, "EPSG:4326")[0].message
    assert "WGS 84 / UTM zone 17N (EPSG:32617): the type is geographic" in message
    assert "; or NAD83 (EPSG:4269): the datum is World Geodetic System 1984" in message


def test_a_missing_crs_is_no_wgs_84():
    result, violations = judged(Crs(equals="EPSG:4326"), None)
    assert result.status is Status.FAILED
    assert result.message == "no CRS is declared (none is assumed), expected WGS 84 (EPSG:4326)"
    assert len(violations) == 1


def test_a_crs_that_nobody_understands_fails():
    data = memory_vector([BOULDER], crs=None)
    data.profile = type(data.profile)(uri="x", crs='PROJCS["broken",' + "x" * 200, count=1)
    result, _ = run_rule(Crs(equals="EPSG:4326"), data)
    assert result.status is Status.FAILED
    assert result.message.startswith('the declared CRS is not understood (PROJCS["broken",xxx')
    assert len(result.message) < 200


def test_no_features_no_extent():
    assert run_rule(Crs(equals="EPSG:4326"), memory_vector([], crs="EPSG:4326"))[0].passed


def test_rasters_are_judged_too():
    data = memory_raster([[[0]]], crs="EPSG:4326", transform=(1, 0, 10, 0, -1, 50))
    assert run_rule(Crs(equals="EPSG:4326"), data)[0].passed
    assert run_rule(Crs(equals="EPSG:32633"), data)[0].status is Status.FAILED


@pytest.mark.parametrize("options", [{}, {"equals": "EPSG:4326", "any_of": ("EPSG:4326",)}])
def test_the_contract_says_it_one_way(options):
    with pytest.raises(pydantic.ValidationError, match="give equals or any_of"):
        Crs(**options)


def test_a_crs_that_proj_does_not_know_is_a_mistake_of_the_contract():
    with pytest.raises(pydantic.ValidationError, match="'ESPG:4326' is not a CRS"):
        Crs(equals="ESPG:4326")


POOL = ("EPSG:4326", "EPSG:4258", "EPSG:25832", "EPSG:32632", "EPSG:32633", "EPSG:3857")
"""No two of them place a coordinate alike."""
SPELLINGS = (
    pyproj.CRS.to_wkt,
    pyproj.CRS.to_json,
    lambda crs: crs.to_wkt("WKT1_GDAL"),
    lambda crs: crs.to_wkt("WKT1_ESRI"),
    lambda crs: ":".join(crs.to_authority()),
)


@given(
    st.sampled_from(POOL),
    st.sampled_from(SPELLINGS[:4]),
    st.sets(st.sampled_from(POOL), min_size=1),
    st.sampled_from(SPELLINGS),
)
@settings(max_examples=60)
def test_no_spelling_makes_another_crs(declared, spelled, accepted, promised):
    rule = Crs(any_of=tuple(promised(pyproj.CRS(code)) for code in sorted(accepted)))
    data = memory_vector([shapely.Point(9, 50)], crs=spelled(pyproj.CRS(declared)))
    assert run_rule(rule, data)[0].passed == (declared in accepted)

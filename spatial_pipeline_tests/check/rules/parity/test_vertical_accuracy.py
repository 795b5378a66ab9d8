import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import VerticalAccuracy
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_vector

OTHER = OtherSource(uri="points.gpkg")
SLOPE = np.tile(np.arange(6.0), (5, 1))[None]


def points(*xyz):
    return memory_vector([shapely.Point(*p) for p in xyz])


def test_vertical_accuracy_names_check_points_beyond_the_limit():
    checks = points((0.5, -0.5, 0), (3, -2, 2.5), (4.5, -2.5, 1), (99, 0, 1))
    rule = VerticalAccuracy(other=OTHER, rmse=1)
    result, violations = any_cut(rule, SLOPE, checks)
    assert (result.status, result.checked) == (Status.FAILED, 3)
    assert math.isclose(result.value, math.sqrt(9 / 3))
    assert violations.reasons.tolist() == ["residual 3"]
    assert violations.geometry[0].equals(shapely.Point(4.5, -2.5))
    assert result.sample[0].keys == ((2,),)
    assert "RMSE 1.732051 is larger than 1; 3 check points" in result.message
    assert "1 check points lie where there is no data" in result.message
    assert any_cut(VerticalAccuracy(other=OTHER, rmse=1.74, bias=1), SLOPE, checks)[0].passed
    assert not any_cut(VerticalAccuracy(other=OTHER, bias=0.9), SLOPE, checks)[0].passed
    assert not any_cut(VerticalAccuracy(other=OTHER, percentile95=2.9), SLOPE, checks)[0].passed


def test_vertical_accuracy_reads_a_column_and_the_scale_of_the_band():
    checks = memory_vector([shapely.Point(2.5, -2.5)], {"z": [1.2]})
    rule = VerticalAccuracy(other=OTHER, rmse=0.01, column="z", sampling="nearest")
    bands = (BandProfile("float64", scale=0.1, offset=1.0),)
    assert any_cut(rule, SLOPE, checks, bands=bands)[0].passed
    result, _ = any_cut(rule, SLOPE, points((1, 1, math.nan)))
    assert result.status is Status.ERROR


def test_vertical_accuracy_beside_nodata_takes_the_nearest_pixel():
    values = SLOPE.copy()
    values[0, 2, 3] = -1
    rule = VerticalAccuracy(other=OTHER, rmse=0)
    assert any_cut(rule, values, points((2.9, -2.5, 2)), nodata=-1)[0].passed
    result, _ = any_cut(rule, values, points((3.5, -2.5, 3)), nodata=-1)
    assert (result.status, "none is" in result.message) == (Status.ERROR, True)


@given(st.lists(st.tuples(st.floats(0.5, 5.5), st.floats(-4.5, -0.5)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_vertical_accuracy_interpolates_a_plane_exactly(places):
    checks = points(*((x, y, x - 0.5) for x, y in places))
    assert any_cut(VerticalAccuracy(other=OTHER, rmse=1e-12), SLOPE, checks)[0].passed

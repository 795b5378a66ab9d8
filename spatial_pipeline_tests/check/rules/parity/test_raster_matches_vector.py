import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import RasterMatchesVector
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

OTHER = OtherSource(uri="classes.gpkg")
RULE = RasterMatchesVector(other=OTHER, column="class")


def classes(*pairs):
    return memory_vector([g for g, _ in pairs], {"class": [c for _, c in pairs]})


def test_raster_matches_vector_outlines_pixels_of_other_classes():
    values = np.array([[[1, 1, 2], [1, 2, 2], [0, 1, 9]]], dtype=np.uint8)
    other = classes((shapely.box(0, -3, 2, 0), 1), (shapely.box(2, -2, 3, 0), 2))
    result, violations = any_cut(RULE, values, other, nodata=0)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 7)
    assert violations.reasons.tolist() == ["band 1: 2 in polygons of other classes"]
    assert violations.geometry[0].equals(shapely.box(1, -2, 2, -1))
    values[0, 1, 1] = 1
    assert any_cut(RULE, values, other, nodata=0)[0].passed


def test_raster_matches_vector_where_all_touched_pixels_count():
    values = np.array([[[1, 1, 2]]], dtype=np.uint8)
    other = classes((shapely.box(0, -1, 1.4, 0), 1), (shapely.box(1.4, -1, 3, 0), 2))
    assert any_cut(RULE, values, other)[0].violations == 1
    touched = RasterMatchesVector(other=OTHER, column="class", all_touched=True)
    assert any_cut(touched, values, other)[0].passed
    assert any_cut(touched, values[:, :, ::-1], other)[0].violations == 2


def test_raster_matches_vector_says_what_is_missing():
    data = memory_raster(np.ones((1, 2, 2)))
    box = shapely.box(0, -2, 2, 0)
    result, _ = run_rule(RULE, data, memory_vector([box], {"name": ["a"]}))
    assert (result.status, "needs column class" in result.message) == (Status.ERROR, True)
    result, _ = run_rule(RULE, data, memory_vector([box], {"class": ["a"]}))
    assert (result.status, "needs numbers" in result.message) == (Status.ERROR, True)
    assert run_rule(RULE, data, classes((box, None)))[0].checked == 0


@given(st.lists(st.tuples(*[st.integers(0, 8)] * 4, st.integers(1, 2)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_raster_matches_vector_is_every_centre_in_every_polygon(boxes):
    shapes = [
        (shapely.box(a / 2, -(b + 1) / 2, (c + 1) / 2, -d / 2).normalize(), k)
        for a, b, c, d, k in boxes
    ]
    shapes = [(s, k) for s, k in shapes if s.area > 0]
    if not shapes:
        return
    values = np.random.default_rng(1).integers(1, 3, (1, 5, 5))
    result, _ = any_cut(RULE, values, classes(*shapes))
    wrong = 0
    for row, column in np.ndindex(5, 5):
        centre = shapely.Point(column + 0.5 + 1e-9, -row - 0.5 - 1e-9)
        held = {k for s, k in shapes if s.contains(centre)}
        wrong += bool(held) and int(values[0, row, column]) not in held
    assert result.violations == wrong

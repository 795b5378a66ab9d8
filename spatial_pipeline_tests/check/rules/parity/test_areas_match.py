import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.raster_parity import AreasMatch
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

OTHER = OtherSource(uri="b")
VALUES = np.array([[[1, 1, 2], [1, 0, 2]]], dtype=np.uint8)
GRID = (2, 0, 0, 0, -2, 0)


def test_areas_match_names_each_class_and_the_total():
    other = memory_vector([shapely.box(0, 0, 4, 3), shapely.box(5, 5, 7, 8)], {"class": [1, 2]})
    rule = AreasMatch(other=OTHER, column="class")
    result, violations = any_cut(rule, VALUES, other, nodata=0, transform=GRID)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 2, 3)
    assert violations.reasons.tolist() == [
        "all classes: 20 m² here, 18 m² there",
        "class 2: 8 m² here, 6 m² there",
    ]
    assert violations.measure.tolist() == [2, 2]
    assert any_cut(AreasMatch(other=OTHER, column="class", tolerance=2), VALUES, other, nodata=0,
                   transform=GRID)[0].passed  # fmt: skip
    relative = AreasMatch(other=OTHER, column="class", relative_tolerance=0.2)
    assert any_cut(relative, VALUES, other, nodata=0, transform=GRID)[0].violations == 1


def test_areas_match_another_raster_of_another_pixel_size():
    fine = np.kron(VALUES, np.ones((1, 2, 2), np.uint8))
    rule = AreasMatch(other=OTHER)
    assert any_cut(rule, VALUES, memory_raster(fine, nodata=0), nodata=0, transform=GRID)[0].passed
    fine[0, 0, 0] = 7
    _, violations = any_cut(rule, VALUES, memory_raster(fine, nodata=0), nodata=0, transform=GRID)
    assert violations.measure.tolist() == [1, 1]


def test_areas_match_of_what_has_no_classes_is_an_error(monkeypatch):
    monkeypatch.setattr("spatial_pipeline.check.rules.parity.areas_match.MAX_CLASSES", 3)
    data = memory_raster(np.arange(4.0).reshape(1, 2, 2))
    result, _ = run_rule(AreasMatch(other=OTHER), data, data)
    assert (result.status, "more than 3" in result.message) == (Status.ERROR, True)


@given(
    st.lists(st.integers(0, 3), min_size=12, max_size=12),
    st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_areas_match_is_bincount(one, other):
    a, b = np.array(one).reshape(1, 3, 4), np.array(other).reshape(1, 3, 4)
    _, violations = any_cut(AreasMatch(other=OTHER), a, memory_raster(b, nodata=0), nodata=0)
    gaps = [abs(one.count(k) - other.count(k)) for k in (1, 2, 3)]
    gaps.append(abs(one.count(0) - other.count(0)))
    assert sorted(violations.measure) == sorted(g for g in gaps if g)

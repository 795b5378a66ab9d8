import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster import regions as raster_regions
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.pixels import NoVoids
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.raster.test_regions import flood, pixels
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, example
from spatial_pipeline_tests.support import memory_vector, run_rule

VALUES = np.ones((1, 6, 6), dtype=np.int16)
VALUES[0, 1:3, 1:3] = 0
VALUES[0, 4, 3] = 0
VALUES[0, 5, 5] = 0
TRANSFORM = (2, 0, 0, 0, -2, 0)


def test_no_voids_outlines_each_with_its_area():
    result, violations = any_cut(NoVoids(max_area=4), VALUES, nodata=0, transform=TRANSFORM)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 36)
    assert violations.reasons.tolist() == ["band 1: void of 4 px"]
    assert (violations.measure.tolist(), violations.unit) == ([16], "m²")
    assert violations.geometry[0].equals(shapely.box(2, -6, 6, -2))
    assert result.message == "1 of 3 voids are too large, largest 16 m²"
    assert any_cut(NoVoids(max_area=16), VALUES, nodata=0, transform=TRANSFORM)[0].passed
    assert any_cut(NoVoids(), VALUES, nodata=0)[0].violations == 3
    assert any_cut(NoVoids(ignore_edge=True), VALUES, nodata=0)[0].violations == 2


def test_no_voids_measures_their_width():
    values = np.ones((1, 6, 6), dtype=np.int16)
    values[0, 2, :] = 0
    assert any_cut(NoVoids(max_width=1), values, nodata=0)[0].passed
    assert any_cut(NoVoids(max_width=0.9), values, nodata=0)[0].violations == 1
    assert any_cut(NoVoids(max_width=1, max_area=5), values, nodata=0)[0].violations == 1
    assert any_cut(NoVoids(max_width=2), VALUES, nodata=0)[0].passed
    assert any_cut(NoVoids(max_width=1.9), VALUES, nodata=0)[0].violations == 1


def test_no_voids_accepts_those_in_known_areas():
    known = memory_vector([shapely.box(1, -3, 3, -1), shapely.box(5, -6, 6, -5)])
    rule = NoVoids(allowed=OtherSource(uri="known.gpkg"))
    _, violations = any_cut(rule, VALUES, known, nodata=0)
    assert violations.geometry[0].equals(shapely.box(3, -5, 4, -4))
    assert len(violations) == 1


def test_no_voids_of_each_band_and_of_masks():
    values = np.ones((2, 2, 2))
    valid = np.ones((2, 2, 2), dtype=bool)
    valid[1, 0, 0] = False
    _, violations = any_cut(NoVoids(), values, valid=valid)
    assert violations.reasons.tolist() == ["band 2: void of 1 px"]
    assert any_cut(NoVoids(band=1), values, valid=valid)[0].passed
    assert any_cut(NoVoids(), values, valid=~valid & False)[0].violations == 2


def test_no_voids_too_scattered_is_an_error(monkeypatch):
    monkeypatch.setattr(raster_regions, "RUN_LIMIT", 2)
    values = np.tile([[0, 1], [1, 0]], (3, 3))[None]
    result, _ = any_cut(NoVoids(max_area=1), values, nodata=0)
    assert (result.status, "too scattered" in result.message) == (Status.ERROR, True)


@given(st.integers(1, 8), st.integers(1, 8), st.randoms(use_true_random=False), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_no_voids_is_flood_fill(height, width, random, most):
    values = np.array([[random.randint(0, 1) for _ in range(width)] for _ in range(height)])[None]
    for edge in (False, True):
        rule = NoVoids(max_area=most, ignore_edge=edge)
        _, violations = any_cut(rule, values, nodata=0)
        voids = [r for r in flood(values[0] == 0) if len(r) > most]
        if edge:
            sides = ({0, height - 1}, {0, width - 1})
            voids = [v for v in voids if not any(r in sides[0] or c in sides[1] for r, c in v)]
        assert sorted(violations.measure) == sorted(map(len, voids))
        shapes = [pixels(v) for v in voids]
        assert all(any(g.equals(s) for s in shapes) for g in violations.geometry)


def test_real_elevations_have_one_void():
    data = example("rmnp-dem.tif", block=64)
    data.valid[0, 60:70, 60:68] = False
    result, violations = run_rule(NoVoids(ignore_edge=True), data, jobs=2)
    pixel = abs(data.profile.transform[0] * data.profile.transform[4])
    assert result.violations == 1
    np.testing.assert_allclose(violations.measure, 80 * pixel)

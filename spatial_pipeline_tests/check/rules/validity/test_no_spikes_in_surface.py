import math

import numpy as np
import pyproj
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.pixels import NoSpikesInSurface
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.check.rules.validity.rasters import any_cut, example, pixel_arrays
from spatial_pipeline_tests.support import memory_raster, run_rule

SURFACE = np.zeros((1, 5, 5), dtype=np.int16)
SURFACE[0, 2, 2] = 40


def test_no_spikes_in_surface_outlines_a_spike_with_its_neighbours():
    result, violations = any_cut(NoSpikesInSurface(max_step=39), SURFACE)
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 5, 25)
    assert violations.reasons.tolist() == ["band 1: steeper than a step of 39, largest step 40"]
    assert violations.measure.tolist() == [5]
    cross = shapely.union(shapely.box(1, -3, 4, -2), shapely.box(2, -4, 3, -1))
    assert violations.geometry[0].equals(cross)
    assert any_cut(NoSpikesInSurface(max_step=40), SURFACE)[0].passed


def test_no_spikes_in_surface_by_slope_uses_the_distance_of_the_pixels():
    wide = (40, 0, 0, 0, -20, 0)
    _, violations = any_cut(NoSpikesInSurface(max_slope=50), SURFACE, transform=wide)
    # 40 over 40 is 45 degrees, 40 over 20 is 63.
    assert violations.geometry[0].equals(shapely.box(80, -80, 120, -20))
    assert violations.reasons.tolist() == ["band 1: steeper than 50°, largest step 40"]
    assert any_cut(NoSpikesInSurface(max_slope=64), SURFACE, transform=wide)[0].passed
    scaled = (BandProfile("int16", scale=0.1),)
    rule = NoSpikesInSurface(max_slope=10)
    assert any_cut(rule, SURFACE, transform=wide, bands=scaled)[0].violations == 3


def test_no_spikes_in_surface_measures_degrees_in_metres():
    step = 1 / 3600
    grid = (step, 0, 10, 0, -step, 60)
    across = pyproj.Geod(ellps="WGS84").inv(10, 60, 10 + step, 60)[2]
    rise = np.zeros((1, 1, 2))
    rise[0, 0, 1] = across
    options = {"transform": grid, "crs": "EPSG:4326"}
    assert any_cut(NoSpikesInSurface(max_slope=45.1), rise, **options)[0].passed
    assert any_cut(NoSpikesInSurface(max_slope=44.9), rise, **options)[0].violations == 2
    result, _ = any_cut(NoSpikesInSurface(max_slope=45), rise, transform=grid, crs=None)
    assert (result.status, "needs crs" in result.message) == (Status.ERROR, True)


def test_no_spikes_in_surface_does_not_look_over_nodata():
    values = SURFACE.copy()
    values[0, 1:4, 1:4] = [[9, -1, 9], [-1, 40, -1], [9, -1, 9]]
    assert any_cut(NoSpikesInSurface(max_step=10), values, nodata=-1)[0].passed
    nan = values.astype(float)
    nan[nan == -1] = math.nan
    assert any_cut(NoSpikesInSurface(max_step=10), nan)[0].passed
    two = np.concatenate([SURFACE, SURFACE * 0])
    assert any_cut(NoSpikesInSurface(max_step=10, band=2), two)[0].passed
    result, _ = run_rule(NoSpikesInSurface(max_step=1), memory_raster(np.ones((1, 2, 2), complex)))
    assert result.status is Status.ERROR


@given(pixel_arrays(), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_no_spikes_in_surface_is_every_pair_of_neighbours(values, most):
    result, _ = any_cut(NoSpikesInSurface(max_step=most), values, nodata=3)
    bad = np.zeros(values.shape, dtype=bool)
    for band, row, column in np.ndindex(values.shape):
        for other in ((band, row, column + 1), (band, row + 1, column)):
            if other[1] < values.shape[1] and other[2] < values.shape[2]:
                pair = values[band, row, column].item(), values[other].item()
                if 3 in pair or any(map(math.isnan, pair)) or pair[0] == pair[1]:
                    continue
                if abs(pair[0] - pair[1]) > most:
                    bad[band, row, column] = bad[other] = True
    assert result.violations == np.count_nonzero(bad)


def test_real_elevations():
    data = example("rmnp-dem.tif", block=64)
    values, valid = data.values[0].astype(float), data.valid[0]
    across = np.abs(np.diff(values, axis=1)) * (valid[:, 1:] & valid[:, :-1])
    down = np.abs(np.diff(values, axis=0)) * (valid[1:] & valid[:-1])
    largest = max(across.max(), down.max())
    assert run_rule(NoSpikesInSurface(max_step=float(largest)), data, jobs=2)[0].passed
    data.values[0, 50, 50] += 2000
    assert run_rule(NoSpikesInSurface(max_step=float(largest)), data, jobs=2)[0].violations == 5

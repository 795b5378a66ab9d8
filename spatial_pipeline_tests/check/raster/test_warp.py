import math

import numpy as np
import pyproj
import pytest
import rasterio.warp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.check.raster import warp as raster_warp
from spatial_pipeline.check.raster.warp import Warp
from spatial_pipeline.errors import RuleError
from spatial_pipeline_tests.support import memory_raster

METHODS = ["nearest", "bilinear", "cubic", "average"]


def warped(grid, shape, other, method, block=None, crs="EPSG:32633"):
    target = memory_raster(np.zeros((1, *shape), np.uint8), transform=grid, crs=crs)
    warp = Warp(target.profile, other, method)
    height, width = shape
    block = block or (height, width)
    values = np.zeros((other.profile.count, height, width), dtype=np.float64)
    valid = np.zeros(values.shape, dtype=bool)
    for r in range(0, height, block[0]):
        for c in range(0, width, block[1]):
            where = (slice(None), slice(r, r + block[0]), slice(c, c + block[1]))
            values[where], valid[where] = warp.read(
                r, c, min(block[0], height - r), min(block[1], width - c)
            )
    return values, valid


def keys(x):
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def expected_pixel(values, good, method, v, u):
    """Value and validity at row v, column u of one band; pixel i spans [i, i + 1]."""
    height, width = values.shape

    def has(r, c):
        return 0 <= r < height and 0 <= c < width and good[r, c]

    r, c = math.floor(v), math.floor(u)
    if not has(r, c):
        return 0.0, False
    if method == "nearest":
        return float(values[r, c]), True
    near = range(r - 3, r + 4), range(c - 3, c + 4)
    if method == "cubic":
        taps = [
            (i, j, keys(v - i - 0.5) * keys(u - j - 0.5))
            for i in (math.floor(v - 0.5) + k for k in range(-1, 3))
            for j in (math.floor(u - 0.5) + k for k in range(-1, 3))
        ]
        if all(has(i, j) for i, j, _ in taps):
            return sum(w * float(values[i, j]) for i, j, w in taps), True
    weights = [
        (max(0, 1 - abs(v - i - 0.5)) * max(0, 1 - abs(u - j - 0.5)), float(values[i, j]))
        for i in near[0]
        for j in near[1]
        if has(i, j)
    ]
    return sum(w * x for w, x in weights) / sum(w for w, _ in weights), True


def expected_average(values, good, v0, v1, u0, u1):
    v0, v1, u0, u1 = min(v0, v1), max(v0, v1), min(u0, u1), max(u0, u1)
    total = weight = 0.0
    for (r, c), value in np.ndenumerate(values):
        overlap = max(0, min(v1, r + 1) - max(v0, r)) * max(0, min(u1, c + 1) - max(u0, c))
        if good[r, c]:
            total, weight = total + overlap * float(value), weight + overlap
    return (total / weight, True) if weight else (0.0, False)


grids = st.sampled_from(
    [
        (1, 0, 0, 0, -1, 0),
        (0.5, 0, 0, 0, -0.5, 0),
        (2, 0, -1, 0, -2, 1),
        (1, 0, 0.25, 0, -1, -0.5),
        (0.375, 0, 0.25, 0, 0.75, -4),
        (1.5, 0, 7, 0, -1.25, 0),
        (-1, 0, 5, 0, -1, 0),
    ]
)
sources = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)),
    elements=st.integers(-20, 20).map(float) | st.just(math.nan),
)


@given(sources, grids, st.sampled_from(METHODS), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_every_method_is_its_definition_pixel_by_pixel(values, grid, method, rows, columns):
    other = memory_raster(values, nodata=math.nan)
    shape = (6, 5)
    got, valid = warped(grid, shape, other, method, (rows, columns))
    a, _, c, _, e, f = grid
    for band, row, column in np.ndindex(len(values), *shape):
        good = ~np.isnan(values[band])
        if method == "average":
            edges = [-(e * (row + i) + f) for i in (0, 1)] + [a * (column + i) + c for i in (0, 1)]
            expected, has = expected_average(values[band], good, *edges)
        else:
            v, u = -(e * (row + 0.5) + f), a * (column + 0.5) + c
            expected, has = expected_pixel(values[band], good, method, v, u)
        assert valid[band, row, column] == has
        if has:
            assert got[band, row, column] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_the_own_grid_gives_the_own_pixels(method):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 2**16, (2, 9, 7)).astype(np.uint16)
    other = memory_raster(
        values, nodata=int(values[0, 3, 3]), transform=(0.3, 0, 500000, 0, -0.3, 7)
    )
    got, valid = warped(other.profile.transform, (9, 7), other, method)
    assert (valid == other.valid).all()
    assert (got == values)[valid].all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [0.5, 1 / 3, 1.0])
def test_it_is_what_gdal_does_inside(method, size):
    rng = np.random.default_rng(2)
    values = rng.integers(0, 256, (1, 30, 31)).astype(np.float32)
    grid = (size, 0, 500000.21 if method != "average" else 500000, 0, -size, 4999999.86)
    shape = (int(28 / size), int(28 / size))
    source = (1, 0, 500000, 0, -1, 5000000)
    ours, valid = warped(grid, shape, memory_raster(values, transform=source), method)
    theirs = np.zeros((1, *shape), np.float32)
    rasterio.warp.reproject(
        values, theirs, src_transform=rasterio.Affine(*source), src_crs="EPSG:32633",
        dst_transform=rasterio.Affine(*grid), dst_crs="EPSG:32633",
        resampling=rasterio.warp.Resampling[method], tolerance=0,
    )  # fmt: skip
    inner = (0, slice(12, -12), slice(12, -12))
    assert valid[inner].all()
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.01)


def test_average_of_four_rounds_half_up_as_a_file_would():
    values = np.array([[[1, 2, 250, 255], [2, 1, 255, 255]]], dtype=np.uint8)
    got, valid = warped((2, 0, 0, 0, -2, 0), (1, 2), memory_raster(values), "average")
    assert got.tolist() == [[[2, 254]]]
    assert valid.all()


def test_cubic_overshoot_is_clipped_to_the_type():
    values = np.zeros((1, 4, 8), dtype=np.uint8)
    values[:, :, 4:] = 255
    got, _ = warped((0.5, 0, 0, 0, -0.5, 0), (8, 16), memory_raster(values), "cubic")
    assert got.min() == 0
    assert got.max() == 255


def test_a_turned_grid_is_sampled_at_its_centres():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 99, (1, 20, 20)).astype(np.float64)
    other = memory_raster(values)
    c, s = math.cos(0.4), math.sin(0.4)
    grid = (c, s, 6, s, -c, -12)
    for method in ("nearest", "bilinear", "cubic"):
        got, valid = warped(grid, (5, 6), other, method, (2, 4))
        for row, column in np.ndindex(5, 6):
            u = c * (column + 0.5) + s * (row + 0.5) + 6
            v = -(s * (column + 0.5) - c * (row + 0.5) - 12)
            expected, has = expected_pixel(values[0], other.valid[0], method, v, u)
            assert valid[0, row, column] == has
            assert got[0, row, column] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(RuleError, match="parallel axes"):
        warped(grid, (5, 6), other, "average")


def test_another_crs_is_sampled_where_the_centres_lie_in_it():
    rng = np.random.default_rng(4)
    values = rng.integers(0, 99, (1, 40, 40)).astype(np.float64)
    other = memory_raster(values, crs="EPSG:4326", transform=(0.001, 0, 15, 0, -0.001, 45.1))
    grid = (100, 0, 500000, 0, -100, 4994000)
    move = pyproj.Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    got, valid = warped(grid, (11, 12), other, "bilinear", (3, 12))
    for row, column in np.ndindex(11, 12):
        x, y = move.transform(500000 + 100 * (column + 0.5), 4994000 - 100 * (row + 0.5))
        place = (45.1 - y) / 0.001, (x - 15) / 0.001
        expected, has = expected_pixel(values[0], other.valid[0], "bilinear", *place)
        assert valid[0, row, column] == has
        assert got[0, row, column] == pytest.approx(expected, abs=1e-3)
    assert valid.any()
    target = memory_raster(values, transform=grid).profile
    assert "transformed" in Warp(target, other, "nearest").note
    with pytest.raises(RuleError, match="parallel axes"):
        Warp(target, other, "average")
    with pytest.raises(RuleError, match="needs crs"):
        Warp(target, memory_raster(values, crs=None), "nearest")


@pytest.mark.parametrize("method", METHODS)
def test_reading_the_other_raster_in_parts_changes_nothing(method):
    rng = np.random.default_rng(5)
    other = memory_raster(rng.random((2, 50, 60)), transform=(0.2, 0, 0, 0, -0.2, 0))
    grid = (1, 0, 0.3, 0, -1, 0.1)
    whole = warped(grid, (10, 12), other, method)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_warp, "SOURCE_PIXELS", 300)
        parts = warped(grid, (10, 12), other, method)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])


def test_far_away_there_is_no_data():
    other = memory_raster(np.ones((1, 3, 3)))
    for method in METHODS:
        _, valid = warped((1, 0, 1e6, 0, -1, 1e6), (2, 2), other, method)
        assert not valid.any()

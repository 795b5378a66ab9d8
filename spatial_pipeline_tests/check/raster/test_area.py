from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster.area import PixelArea, polygon_area
from spatial_pipeline.errors import RuleError
from spatial_pipeline_tests.support import memory_raster, memory_vector

GRIDS = [
    (1, 0, 0, 0, -1, 12),
    (0.75, 0, -0.2, 0, 0.5, 0.1),
    (0.6, 0.8, 0, -0.8, 0.6, 9),
    (0, 1, 0, 1, 0, 0),
]


def centres(transform, height, width):
    a, b, c, d, e, f = transform
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return a * column + b * row + c, d * column + e * row + f


coordinate = st.integers(0, 36).map(lambda n: n / 3)
point = st.tuples(coordinate, coordinate)


@st.composite
def polygon(draw):
    hull = shapely.MultiPoint(draw(st.lists(point, min_size=3, max_size=6))).convex_hull
    hole = shapely.MultiPoint(draw(st.lists(point, min_size=3, max_size=5))).convex_hull
    shape = hull.difference(hole) if draw(st.booleans()) else hull
    if shape.geom_type not in {"Polygon", "MultiPolygon"}:
        return shapely.Polygon()
    return shape.reverse() if draw(st.booleans()) else shape


@given(st.lists(polygon(), min_size=1, max_size=4), st.sampled_from(GRIDS), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_centres_inside_are_those_that_geos_finds(polygons, transform, block):
    polygons = [p for p in polygons if not p.is_empty]
    assume(polygons)
    height, width = 14, 13
    area = PixelArea.of(polygons, transform)
    whole = area.mask(0, 0, height, width)
    x, y = centres(transform, height, width)
    union = shapely.union_all(polygons)
    near = shapely.distance(shapely.points(x, y), shapely.boundary(union)) < 1e-9
    expected = shapely.contains_xy(union, x, y)
    assert (whole == expected)[~near].all()
    for row in range(0, height, block):
        for column in range(0, width, block):
            h, w = min(block, height - row), min(block, width - column)
            part = area.mask(row, column, h, w)
            assert (part == whole[row : row + h, column : column + w]).all()


@given(st.integers(0, 10), st.integers(0, 10), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_centre_on_a_shared_edge_belongs_to_one_neighbour(x, y, columns, rows):
    xs = [x + 0.5 * i * columns for i in range(4)]
    ys = [y + 0.5 * i * rows for i in range(4)]
    cells = [shapely.box(x0, y0, x1, y1) for x0, x1 in pairwise(xs) for y0, y1 in pairwise(ys)]
    grid = (1, 0, 0, 0, 1, 0)
    counts = sum(PixelArea.of([c], grid).mask(0, 0, 20, 20).astype(int) for c in cells)
    together = PixelArea.of([shapely.union_all(cells)], grid).mask(0, 0, 20, 20)
    assert (counts == together).all()
    assert (PixelArea.of(cells, grid).mask(0, 0, 20, 20) == together).all()


def test_one_centre_on_edges():
    grid = (1, 0, 0, 0, -1, 2)
    mask = PixelArea.of([shapely.box(0.5, 0.5, 1.5, 1.5)], grid).mask(0, 0, 2, 2)
    assert mask.tolist() == [[True, False], [False, False]]


def raster(crs="EPSG:32633"):
    return memory_raster(
        np.zeros((1, 10, 10)), transform=(1, 0, 500000, 0, -1, 5000010), crs=crs
    ).profile


def test_polygons_of_a_layer():
    bowtie = shapely.Polygon(
        [(500000, 5000000), (500004, 5000004), (500004, 5000000), (500000, 5000004)]
    )
    layer = memory_vector(
        [
            shapely.box(500006, 5000006, 500010, 5000010),
            None,
            shapely.Point(500001, 5000001),
            shapely.Polygon(),
            bowtie,
        ],
        batch_size=2,
    )  # fmt: skip
    area, notes = polygon_area(layer, raster())
    mask = area.mask(0, 0, 10, 10)
    assert mask[:4, 6:].all()
    x, y = centres((1, 0, 500000, 0, -1, 5000010), 10, 10)
    repaired = shapely.make_valid(bowtie)
    assert np.count_nonzero(mask) == 16 + np.count_nonzero(
        shapely.contains_xy(repaired, x, y) | (shapely.intersects_xy(repaired, x, y) & mask)
    )
    assert "3 features of the area are not polygons" in notes[0]
    assert "1 polygons of the area are invalid" in notes[1]


def test_polygons_are_brought_into_the_crs_of_the_raster():
    box = shapely.box(15.0, 45.15, 15.0001, 45.16)
    layer = memory_vector([box], crs="EPSG:4326")
    area, notes = polygon_area(layer, raster())
    mask = area.mask(0, 0, 10, 10)
    assert np.count_nonzero(mask) == 80
    assert mask[:, :8].all()
    assert len(notes) == 1
    assert "transformed" in notes[0]


def test_an_area_without_polygons_or_crs_is_an_error():
    with pytest.raises(RuleError, match="needs polygons"):
        polygon_area(memory_vector([None, shapely.Point(1, 1)]), raster())
    with pytest.raises(RuleError, match="needs polygons"):
        polygon_area(memory_vector([]), raster())
    with pytest.raises(RuleError, match="needs crs"):
        polygon_area(memory_vector([shapely.box(0, 0, 1, 1)], crs=None), raster())

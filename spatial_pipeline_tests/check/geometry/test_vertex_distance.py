import math
from itertools import permutations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.vertex_distance import vertex_distance
from spatial_pipeline_tests.check.geometry.shapes import geometries, points


def paths_apart(p, q):
    p, q = np.array(p), np.array(q)
    if len(p) != len(q):
        return math.inf
    orders = [q, q[::-1]]
    if len(p) > 1 and (p[0] == p[-1]).all() and (q[0] == q[-1]).all():
        p, open_q = p[:-1], q[:-1]
        orders = [
            np.roll(way, k, axis=0) for way in (open_q, open_q[::-1]) for k in range(len(open_q))
        ]
    return min(max(math.dist(a, b) for a, b in zip(p, way, strict=True)) for way in orders)


def best(a, b, apart):
    """The best of all ways to pair two lists."""
    if len(a) != len(b):
        return math.inf
    return min(
        max((apart(p, q) for p, q in zip(a, order, strict=True)), default=0.0)
        for order in permutations(b)
    )


def oracle(a, b):
    if a.geom_type != b.geom_type:
        return math.inf
    if a.is_empty or b.is_empty:
        return None
    if a.geom_type == "Polygon":
        shells = paths_apart(a.exterior.coords, b.exterior.coords)
        holes = [[h.coords for h in g.interiors] for g in (a, b)]
        return max(shells, best(*holes, paths_apart))
    if a.geom_type in {"Point", "LineString"}:
        return paths_apart(a.coords, b.coords)
    parts = [oracle(p, q) for p in a.geoms for q in b.geoms]
    return None if None in parts else best(list(a.geoms), list(b.geoms), oracle)


def test_points_lines_and_rings():
    assert vertex_distance(shapely.Point(0, 0), shapely.Point(3, 4), 5) == 5
    assert vertex_distance(shapely.Point(0, 0), shapely.Point(3, 4), 4.999) == math.inf
    line = shapely.LineString([(0, 0), (5, 0)])
    assert vertex_distance(line, shapely.LineString([(5, 1), (0, 0)]), 2) == 1
    box, moved = shapely.box(0, 0, 2, 2), shapely.box(0.5, 0, 2.5, 2)
    turned = shapely.Polygon(list(moved.exterior.coords)[2:-1] + list(moved.exterior.coords)[:2])
    assert vertex_distance(box, turned, 1) == 0.5
    scalene = [(0, 0), (4, 0), (3, 3), (1, 2), (0, 0)]
    for k in range(4):
        back = shapely.Polygon((scalene[k:-1] + scalene[: k + 1])[::-1])
        assert vertex_distance(shapely.Polygon(scalene), back, 0.5) == 0


def test_parts_are_paired_for_the_smallest_largest_distance():
    # The nearest partner of 1 is 0; but then 0 would be left with 2, which is too far.
    a, b = shapely.MultiPoint([(0, 0), (1, 0)]), shapely.MultiPoint([(0.9, 0), (2, 0)])
    assert vertex_distance(a, b, 1.5) == 1.0
    assert vertex_distance(a, b, 0.95) == math.inf


def test_vertices_and_parts_must_be_as_many():
    assert (
        vertex_distance(shapely.box(0, 0, 1, 1), shapely.Polygon([(0, 0), (1, 0), (1, 1)]), 9)
        == math.inf
    )
    assert (
        vertex_distance(shapely.MultiPoint([(0, 0)]), shapely.MultiPoint([(0, 0)] * 2), 9)
        == math.inf
    )
    assert vertex_distance(shapely.Point(0, 0), shapely.MultiPoint([(0, 0)]), 9) == math.inf


def test_many_parts_do_not_recurse():
    xy = np.stack([np.arange(3000.0), np.zeros(3000)], axis=1)
    a, b = shapely.MultiPoint(xy), shapely.MultiPoint(xy[::-1] + np.array([0.4, 0]))
    assert vertex_distance(a, b, 0.5) == pytest.approx(0.4)


def test_empty_members_correspond_to_each_other():
    a, b = shapely.from_wkt(
        [
            "GEOMETRYCOLLECTION (POINT EMPTY, POINT (0 0))",
            "GEOMETRYCOLLECTION (POINT (1 0), POINT EMPTY)",
        ]
    )
    other = shapely.from_wkt("GEOMETRYCOLLECTION (POINT (1 0), LINESTRING EMPTY)")
    assert vertex_distance(a, b, 1) == 1
    assert vertex_distance(a, other, 1) == math.inf


def moved(geometry, draw):
    shift = st.sampled_from([0.0, 0.0, 0.25, -0.5])
    return shapely.transform(
        shapely.reverse(geometry) if draw(st.booleans()) else geometry,
        lambda xy: xy + np.array([[draw(shift), draw(shift)] for _ in xy]).reshape(xy.shape),
    )


@settings(max_examples=150, deadline=None)
@given(st.data(), geometries(2), st.sampled_from([0.0, 0.25, 0.5, 0.75, 2.0]))
def test_the_distance_is_the_best_of_all_ways(data, a, limit):
    try:
        b = moved(a, data.draw) if data.draw(st.booleans()) else data.draw(geometries(2))
    except shapely.GEOSException:
        return
    expected = oracle(a, b)
    if expected is None:
        return
    found = vertex_distance(a, b, limit)
    if expected <= limit:
        assert found == pytest.approx(expected, abs=1e-12)
    else:
        assert found == math.inf
    assert found == pytest.approx(vertex_distance(b, a, limit), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(points(4), min_size=1, max_size=6), st.lists(points(4), min_size=1, max_size=6))
def test_a_larger_limit_never_loses_a_match(one, two):
    a, b = shapely.MultiPoint(one), shapely.MultiPoint(two)
    distances = [vertex_distance(a, b, limit) for limit in (0.0, 1.0, 2.0, 10.0)]
    assert distances == sorted(distances, reverse=True)

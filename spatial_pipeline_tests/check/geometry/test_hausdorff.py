"""Distances between geometries against dense sampling along their segments."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry import hausdorff as module
from spatial_pipeline.check.geometry.hausdorff import corresponding, hausdorff


def array(*geometries):
    return np.array([shapely.from_wkt(g) if isinstance(g, str) else g for g in geometries], object)


def judged(here, there, tolerance):
    near, apart = hausdorff(array(here), array(there), tolerance)
    back = hausdorff(array(there), array(here), tolerance)
    assert bool(back[0][0]) == bool(near[0])
    assert back[1][0] == pytest.approx(apart[0])
    return bool(near[0]), float(apart[0])


SQUARE = "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0))"


@pytest.mark.parametrize(
    ("here", "there", "tolerance", "near", "distance"),
    [
        ("POINT (0 0)", "POINT (3 4)", 5, True, 0),
        ("POINT (0 0)", "POINT (3 4)", 4.9, False, 5),
        ("MULTIPOINT (0 0, 5 5)", "MULTIPOINT (5 5, 0 0)", 0, True, 0),
        ("MULTIPOINT (0 0, 5 5)", "POINT (0 0)", 5, False, math.hypot(5, 5)),
        ("MULTIPOINT (0 0, 0 1, 0 1)", "MULTIPOINT (0 1, 0 0)", 0, True, 0),
        ("LINESTRING (0 0, 10 0)", "LINESTRING (10 0, 0 0)", 0, True, 0),
        ("LINESTRING (0 0, 10 0)", "LINESTRING (0 0, 3 0, 10 0)", 0, True, 0),
        ("LINESTRING (0 0, 10 0)", "LINESTRING (0 0, 5 1, 10 0)", 1, True, 0),
        ("LINESTRING (0 0, 10 0)", "LINESTRING (0 0, 5 1, 10 0)", 0.9, False, 1),
        # All vertices coincide, the middle is missing.
        ("LINESTRING (0 0, 9 0)", "MULTILINESTRING ((0 0, 1 0), (8 0, 9 0))", 1, False, 3.5),
        ("LINESTRING (0 0, 9 0)", "MULTILINESTRING ((0 0, 1 0), (8 0, 9 0))", 3.5, True, 0),
        ("LINESTRING (0 0, 9 0)", "MULTIPOINT (0 0, 9 0)", 1, False, 4.5),
        ("LINESTRING (0 0, 1 0)", "MULTIPOINT (0 0, 1 0)", 1, False, 0),
        (SQUARE, "POLYGON ((10 0, 0 0, 0 10, 10 10, 10 0))", 0, True, 0),
        (SQUARE, "MULTIPOLYGON (((5 0, 10 0, 10 10, 0 10, 0 0, 5 0)))", 0, True, 0),
        (SQUARE, "LINESTRING (0 0, 10 0, 10 10, 0 10, 0 0)", 1, False, 0),
        (SQUARE, "POLYGON ((0 0, 10 0, 10 10.5, 0 10, 0 0))", 0.5, True, 0),
        (SQUARE, "POLYGON ((0 0, 10 0, 10 10.5, 0 10, 0 0))", 0.4, False, 0.5),
        # A hole in the middle, and an island that fills it: the boundaries coincide.
        (
            "POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (3 3, 7 3, 7 7, 3 7, 3 3))",
            f"GEOMETRYCOLLECTION ({SQUARE}, POLYGON ((3 3, 7 3, 7 7, 3 7, 3 3)))",
            1,
            False,
            2,
        ),
        # Three simple polygons over the same four vertices.
        (
            "POLYGON ((0 0, 10 0, 5 10, 5 3, 0 0))",
            "POLYGON ((0 0, 5 3, 10 0, 5 10, 0 0))",
            1,
            False,
            None,
        ),
    ],
)
def test_pairs(here, there, tolerance, near, distance):
    found, apart = judged(here, there, tolerance)
    assert found is near
    assert apart > tolerance if distance is None else apart == pytest.approx(distance, rel=0.15)


def test_z_does_not_count():
    assert judged("LINESTRING Z (0 0 1, 1 1 5)", "LINESTRING (0 0, 1 1)", 0) == (True, 0)


def test_nothing_to_compare():
    near, apart = hausdorff(np.empty(0, object), np.empty(0, object), 1.0)
    assert not len(near)
    assert not len(apart)


def test_vertices_in_order_need_the_same_structure():
    hole = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1))"
    parts = "MULTIPOLYGON (((0 0, 9 0, 9 9, 0 9, 0 0)), ((1 1, 2 1, 2 2, 1 1)))"
    lines = "MULTILINESTRING ((0 0, 1 0), (2 0, 3 0, 4 0))"
    other = "MULTILINESTRING ((0 0, 1 0, 2 0), (3 0, 4 0))"
    here, there = (
        array(hole, lines, lines, "POINT (0 0)"),
        array(parts, other, lines, "POINT (0 1)"),
    )
    assert corresponding(here, there, 0.5).tolist() == [False, False, True, False]


def test_large_geometries_take_the_index(monkeypatch):
    angles = np.linspace(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 100
    one, two = shapely.Polygon(circle), shapely.Polygon(np.roll(circle[:-1] * 1.01, 7, axis=0))
    expected = judged(one, two, 0.5)
    monkeypatch.setattr(module, "COMBINATIONS", 100)
    assert judged(one, two, 0.5) == pytest.approx(expected)
    assert judged(one, two, 2) == (True, 0)


def sampled(geometry, step):
    lines = [
        r
        for p in shapely.get_parts(geometry)
        for r in (shapely.get_rings(p) if p.geom_type == "Polygon" else [p])
    ]
    points = [shapely.get_coordinates(line) for line in lines]
    for line in lines:
        if line.geom_type != "Point":
            along = np.arange(0, line.length, step)
            points.append(shapely.get_coordinates(shapely.line_interpolate_point(line, along)))
    return np.concatenate(points), shapely.union_all(
        [shapely.LineString(line.coords) if line.geom_type != "Point" else line for line in lines]
    )


def slow(here, there, step):
    """Hausdorff distance from below, by less than half a step."""
    (p, a), (q, b) = sampled(here, step), sampled(there, step)
    return max(
        shapely.distance(shapely.points(p), b).max(), shapely.distance(shapely.points(q), a).max()
    )


coordinates = st.tuples(st.integers(0, 8), st.integers(0, 8))
lines = st.lists(coordinates, min_size=2, max_size=6).filter(lambda c: len(set(c)) > 1)
points = st.lists(coordinates, min_size=1, max_size=4).map(shapely.MultiPoint)


@st.composite
def polygons(draw):
    ring = draw(st.lists(coordinates, min_size=3, max_size=6, unique=True))
    polygon = shapely.make_valid(shapely.Polygon(ring))
    parts = [p for p in shapely.get_parts(polygon) if p.geom_type.endswith("Polygon")]
    return shapely.union_all(parts) if parts else shapely.box(0, 0, 1, 1)


shapes = st.one_of(
    points,
    lines.map(shapely.LineString),
    st.lists(lines, min_size=1, max_size=3).map(shapely.MultiLineString),
    polygons(),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(shapes, shapes), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.3, 1.0, 2.0, 4.0]),
    st.sampled_from([0.0, 500_000.0]),
)
def test_against_dense_sampling(pairs, tolerance, shift):
    step = 0.02
    pairs = [p for p in pairs if shapely.get_dimensions(p[0]) == shapely.get_dimensions(p[1])]
    here, there = (
        np.array([shapely.transform(p[i], lambda xy: xy + shift) for p in pairs], object)
        for i in (0, 1)
    )
    near, apart = hausdorff(here, there, tolerance)
    wider = hausdorff(here, there, tolerance * 1.5 + 0.1)[0]
    for i, (a, b) in enumerate(pairs):
        true = slow(a, b, step)
        if abs(true - tolerance) < step:
            continue
        assert wider[i] or not near[i]
        if near[i]:
            assert true <= tolerance
        else:
            assert apart[i] > tolerance
            assert apart[i] <= true + step or shapely.get_dimensions(a) == 2
            if true <= tolerance:
                assert shapely.get_dimensions(a) == 2
                between = shapely.symmetric_difference(a, b)
                assert not shapely.buffer(between, -0.99 * tolerance).is_empty

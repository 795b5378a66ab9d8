import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.repair import (
    longest_border,
    made_valid,
    oriented,
    with_ends_moved,
    without_repeated_points,
    without_spikes,
)
from spatial_pipeline_tests.check.geometry.shapes import geometries


def shapes(*texts):
    return np.array([shapely.from_wkt(t) for t in texts], dtype=object)


def texts(geometry):
    return [shapely.to_wkt(g, trim=True) for g in geometry]


SPIKED = [
    # The tip of a spike of a ring, at its first vertex, of a hole, of a part, of a line.
    ("POLYGON ((0 0, 4 0, 4 2, 9 2, 4 2.01, 4 4, 0 4, 0 0))",
     "POLYGON ((0 0, 4 0, 4 2, 4 2.01, 4 4, 0 4, 0 0))"),
    ("POLYGON ((9 0, 4 0.01, 4 4, 0 4, 0 0, 9 0))", "POLYGON ((4 0.01, 4 4, 0 4, 0 0, 4 0.01))"),
    ("POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 3 6, 6 6, 6 4, 8 4, 6 3.99, 6 3, 3 3))",
     "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 3 6, 6 6, 6 4, 6 3.99, 6 3, 3 3))"),
    ("MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 9 5, 9 9, 9.001 5, 5 5)))",
     "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 9 5, 9.001 5, 5 5)))"),
    ("LINESTRING (0 0, 5 0, 9 0, 5 0.001, 5 5)", "LINESTRING (0 0, 5 0, 5 0.001, 5 5)"),
    ("LINESTRING Z (0 0 1, 9 0 2, 0 0.001 3)", "LINESTRING Z (0 0 1, 0 0.001 3)"),
    ("POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"),
    ("POINT (1 2)", "POINT (1 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), SPIKED[:3] + SPIKED[4:])
def test_tips_of_spikes_go(before, after):
    assert texts(without_spikes(shapes(before), 1.0)) == [after]


def test_many_at_once_are_as_one_by_one():
    every = shapes(*(b for b, _ in SPIKED))
    one_by_one = [texts(without_spikes(every[i : i + 1], 1.0))[0] for i in range(len(every))]
    assert texts(without_spikes(every, 1.0)) == one_by_one


def sharpest(shape):
    """The smallest angle of lines and rings, slowly."""
    found = [180.0]
    for part in getattr(shape, "geoms", [shape]):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            xy = [p for i, p in enumerate(ring.coords) if i == 0 or p != ring.coords[i - 1]]
            if part.geom_type == "Polygon" and len(xy) > 1:
                xy = [*xy, xy[1]]
            for a, b, c in zip(xy, xy[1:], xy[2:], strict=False):
                u, v = np.subtract(a[:2], b[:2]), np.subtract(c[:2], b[:2])
                cosine = np.dot(u, v) / (np.linalg.norm(u) * np.linalg.norm(v))
                found.append(float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
    return min(found)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=7))
def test_no_spike_is_left_or_the_geometry_is(corners):
    ring = shapely.Polygon(corners)
    (after,) = without_spikes(np.array([ring], dtype=object), 20.0)
    assert after is not None
    assert after.is_empty or sharpest(after) >= 20 - 1e-6
    if sharpest(ring) > 20 and len(set(corners)) == len(corners):
        assert after.equals_exact(ring) or after.is_empty


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_what_is_made_valid_is_valid_and_valid_shapes_keep_their_area(shape):
    if shape is None or not np.isfinite(shapely.get_coordinates(shape)).all():
        return
    (after,) = made_valid(np.array([shape], dtype=object))
    assert after.is_valid
    if shape.is_valid:
        assert after.area == pytest.approx(shape.area)


def test_rings_turn_as_asked_and_repeated_points_go():
    square = shapes("POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))")
    assert shapely.is_ccw(shapely.get_exterior_ring(oriented(square, clockwise=False))).all()
    assert not shapely.is_ccw(shapely.get_exterior_ring(oriented(square, clockwise=True))).any()
    line = shapes("LINESTRING (0 0, 0 0, 1 0, 1.05 0, 2 0)")
    assert texts(without_repeated_points(line, 0.0)) == ["LINESTRING (0 0, 1 0, 1.05 0, 2 0)"]
    assert texts(without_repeated_points(line, 0.1)) == ["LINESTRING (0 0, 1 0, 2 0)"]


def test_ends_are_extended_to_a_point_or_cut_off():
    lines = shapes(*["LINESTRING (0 0, 4 0, 4 3)"] * 4)
    to = np.array([shapely.Point(4, 5), shapely.Point(-1, 0), None, None], dtype=object)
    start = np.array([False, True, False, True])
    after = with_ends_moved(lines, start, to, np.array([0, 0, 1.0, 4.5]))
    assert texts(after) == [
        "LINESTRING (0 0, 4 0, 4 3, 4 5)",
        "LINESTRING (-1 0, 0 0, 4 0, 4 3)",
        "LINESTRING (0 0, 4 0, 4 2)",
        "LINESTRING (4 0.5, 4 3)",
    ]


def test_a_gap_goes_to_the_neighbour_with_the_longest_border():
    gaps = shapes("POLYGON ((0 0, 4 0, 4 1, 0 1, 0 0))", "POLYGON ((9 9, 10 9, 10 10, 9 9))")
    neighbours = shapes(
        "POLYGON ((-1 0, 0 0, 0 1, -1 1, -1 0))",
        "POLYGON ((0 1, 4 1, 4 2, 0 2, 0 1))",
        "POLYGON ((8 9, 9 9, 8 10, 8 9))",
    )
    assert longest_border(gaps, neighbours, np.array([0, 0, 1])).tolist() == [1, 2]
    assert longest_border(gaps, neighbours[:1], np.array([0])).tolist() == [0, -1]

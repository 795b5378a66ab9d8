import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.ring_intersections import Ring, linework
from spatial_pipeline.check.geometry.ring_nesting import (
    DISCONNECTED,
    HOLE_OUTSIDE,
    NESTED_HOLES,
    NESTED_SHELLS,
    Nesting,
)
from spatial_pipeline.check.geometry.validity_errors import defects


def ring(number, n, coordinates):
    xy = np.array([*coordinates, coordinates[0]], dtype=float)
    return Ring(number, number, n, xy, np.arange(len(xy)))


def box(x, y, w, h):
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def misplaced(*polygons):
    rings = [ring(p, n, c) for p, polygon in enumerate(polygons) for n, c in enumerate(polygon)]
    return [
        (m.reason, m.ring.polygon, m.ring.ring, m.point.wkt, m.vertex)
        for m in Nesting(rings, linework(rings)).misplaced()
    ]


def test_holes_in_their_shell_are_fine():
    assert misplaced([box(0, 0, 9, 9), box(1, 1, 2, 2), box(5, 5, 2, 2)]) == []
    assert misplaced() == []


def test_a_hole_outside():
    assert misplaced([box(0, 0, 4, 4), box(5, 5, 1, 1)]) == [(HOLE_OUTSIDE, 0, 1, "POINT (5 5)", 0)]
    assert misplaced([box(1, 1, 2, 2), box(0, 0, 4, 4)]) == [(HOLE_OUTSIDE, 0, 1, "POINT (0 0)", 0)]
    # It touches the shell with its first vertex: the second shows that it lies outside.
    assert misplaced([box(0, 0, 4, 4), [(4, 2), (6, 1), (6, 3)]]) == [
        (HOLE_OUTSIDE, 0, 1, "POINT (6 1)", 1)
    ]


def test_a_hole_in_a_hole():
    assert misplaced([box(0, 0, 9, 9), box(2, 2, 2, 2), box(1, 1, 5, 5)]) == [
        (NESTED_HOLES, 0, 1, "POINT (2 2)", 0)
    ]


def test_rings_that_cross_are_not_asked():
    assert misplaced([box(0, 0, 4, 4), box(2, 2, 4, 1)]) == []
    bow_tie = [(0, 0), (9, 9), (9, 0), (0, 9)]
    assert misplaced([bow_tie, box(20, 20, 1, 1)]) == []


def test_parts_in_parts():
    assert misplaced([box(0, 0, 9, 9)], [box(1, 1, 2, 2)]) == [
        (NESTED_SHELLS, 1, 0, "POINT (1 1)", 0)
    ]
    assert misplaced([box(1, 1, 2, 2)], [box(0, 0, 9, 9)]) == [
        (NESTED_SHELLS, 0, 0, "POINT (1 1)", 0)
    ]
    island_in_a_lake = [box(0, 0, 9, 9), box(1, 1, 7, 7)], [box(2, 2, 2, 2)]
    assert misplaced(*island_in_a_lake) == []
    assert misplaced([box(0, 0, 2, 2)], [box(2, 2, 2, 2)]) == []


BOXES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9)),
    min_size=1,
    max_size=5,
)


def inside(a, b):
    return b[0] < a[0] and b[1] < a[1] and a[0] + a[2] < b[0] + b[2] and a[1] + a[3] < b[1] + b[3]


def apart(a, b):
    return a[0] + a[2] < b[0] or b[0] + b[2] < a[0] or a[1] + a[3] < b[1] or b[1] + b[3] < a[1]


@settings(max_examples=120, deadline=None)
@given(BOXES)
def test_nesting_of_boxes_is_that_of_their_numbers(drawn):
    boxes = []
    for b in drawn:
        if all(inside(a, b) or inside(b, a) or apart(a, b) for a in boxes):
            boxes.append(b)
    shell, *holes = boxes
    outside = {n for n, h in enumerate(holes, 1) if not inside(h, shell)}
    nested = {n for n, h in enumerate(holes, 1) if any(inside(h, other) for other in holes)}
    found = misplaced([box(*b) for b in boxes])
    assert {n for reason, _, n, _, _ in found if reason == HOLE_OUTSIDE} == outside
    assert {n for reason, _, n, _, _ in found if reason == NESTED_HOLES} == nested
    assert len(found) == len(outside) + len(nested)

    pairs = sum(not apart(a, b) for i, a in enumerate(boxes) for b in boxes[:i])
    found = misplaced(*([box(*b)] for b in boxes))
    assert [reason for reason, *_ in found] == [NESTED_SHELLS] * pairs


CELLS = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)))


@settings(max_examples=80, deadline=None)
@given(CELLS, st.booleans())
def test_cycles_of_touching_holes_are_the_pieces_of_the_interior(cells, touching_shell):
    diamonds = [
        [(2 * i + 1, 2 * j), (2 * i + 2, 2 * j + 1), (2 * i + 1, 2 * j + 2), (2 * i, 2 * j + 1)]
        for i, j in sorted(cells)
    ]
    shell = shapely.box(0, 0, 8, 8) if touching_shell else shapely.box(-1, -1, 9, 9)
    polygon = shapely.Polygon(shell.exterior.coords, diamonds)
    left = shapely.difference(shell, shapely.union_all([shapely.Polygon(d) for d in diamonds]))
    pieces = len(shapely.get_parts(left))
    found = defects(polygon)
    assert [d.reason for d in found] == [DISCONNECTED] * (pieces - 1)
    assert shapely.is_valid(polygon) is np.bool_(pieces == 1)
    for defect in found:
        meeting = sum(shapely.intersects(shapely.Polygon(d), defect.geometry) for d in diamonds)
        assert meeting + shapely.intersects(shell.exterior, defect.geometry) > 1

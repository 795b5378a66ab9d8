from itertools import permutations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.normal_form import digests, flat, signatures
from spatial_pipeline_tests.check.geometry.shapes import geometries, lines, points, polygons


def array(*members):
    out = np.empty(len(members), dtype=object)
    out[:] = members
    return out


def ways(xy):
    """All ways to write down a line, or a closed one from any of its vertices."""
    xy = [tuple(p) for p in xy]
    if len(xy) > 1 and xy[0] == xy[-1]:
        turns = [xy[k:-1] + xy[:k] for k in range(len(xy) - 1)]
        return {("closed", *way) for turn in turns for way in (turn, turn[::-1])}
    return {("open", *way) for way in (xy, xy[::-1])}


def same(a, b):
    """Whether two geometries are equal, by trying every way to write them."""
    kind_a, kind_b = a.geom_type, b.geom_type
    if kind_a.startswith("Multi") and len(a.geoms) == 1:
        return same(a.geoms[0], b)
    if kind_b.startswith("Multi") and len(b.geoms) == 1:
        return same(a, b.geoms[0])
    if kind_a != kind_b:
        return False
    if kind_a in {"Point", "LineString"}:
        return bool(ways(a.coords) & ways(b.coords))
    if kind_a == "Polygon":
        if a.is_empty or b.is_empty:
            return a.is_empty and b.is_empty
        paths = [[ring.coords for ring in (g.exterior, *g.interiors)] for g in (a, b)]
        return (
            len(paths[0]) == len(paths[1])
            and bool(ways(paths[0][0]) & ways(paths[1][0]))
            and any(
                all(ways(p) & ways(q) for p, q in zip(paths[0][1:], order, strict=True))
                for order in permutations(paths[1][1:])
            )
        )
    parts = list(a.geoms), list(b.geoms)
    return len(parts[0]) == len(parts[1]) and any(
        all(same(p, q) for p, q in zip(parts[0], order, strict=True))
        for order in permutations(parts[1])
    )


def test_start_direction_order_and_sign_of_zero_do_not_count():
    hole, other = [(1, 1), (2, 1), (2, 2), (1, 1)], [(3, 3), (4, 3), (4, 4), (3, 3)]
    shell = [(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)]
    one = shapely.Polygon(shell, [hole, other])
    two = shapely.Polygon(shell[2:-1] + shell[:3], [other[::-1], hole[1:] + hole[1:2]])
    three = shapely.Polygon([(-0.0, -0.0), *shell[1:]], [hole, other])
    four = shapely.MultiPolygon([one])
    five = shapely.force_3d(one, 5)
    assert len(set(digests(array(one, two, three, four, five)))) == 1


def test_one_bit_counts():
    moved = shapely.Point(1, np.nextafter(2, 3))
    assert len(set(digests(array(shapely.Point(1, 2), moved)))) == 2


def test_rings_that_touch_themselves_have_one_form():
    # GEOS begins at the first of two lowest vertices, wherever the ring begins.
    eight = [(0, 0), (2, 1), (1, 2), (0, 0), (3, 0), (3, 1)]
    forms = [shapely.Polygon(eight[k:] + eight[:k]) for k in range(6)]
    forms += [shapely.Polygon(f.exterior.coords[::-1]) for f in forms]
    assert len({shapely.to_wkb(shapely.normalize(f)) for f in forms}) > 1
    assert len(set(digests(array(*forms)))) == 1


def test_rings_without_area_have_one_form():
    flat_ring = [(0, 0), (2, 2), (1, 1)]
    forms = [shapely.Polygon(flat_ring[k:] + flat_ring[:k]) for k in range(3)]
    forms += [shapely.Polygon(f.exterior.coords[::-1]) for f in forms]
    assert len(set(digests(array(*forms)))) == 1


def test_rings_that_name_a_vertex_twice_have_one_form():
    a, b, c = (0, 0), (0, 1), (1, 0)
    rings = [[a, a, b, c, a], [a, b, c, a, a], [b, c, a, a, b], [c, a, a, b, c]]
    forms = [shapely.Polygon(r[::way]) for r in rings for way in (1, -1)]
    assert len(set(digests(array(*forms)))) == 1
    assert digests(array(forms[0]))[0] != digests(array(shapely.Polygon([a, b, c])))[0]


SHAPES = st.one_of(polygons(1, holes=1), lines(1), points(1).map(shapely.Point), geometries(1))


@settings(max_examples=150, deadline=None)
@given(SHAPES, SHAPES)
def test_digests_are_equal_where_the_geometries_are(a, b):
    one, two = digests(array(a, b))
    assert bool(one == two) is same(a, b)
    if same(a, b):
        assert (signatures(array(a)) == signatures(array(b))).all()


def rewritten(geometry, draw):
    """The same geometry, written differently."""
    kind = geometry.geom_type
    if kind == "Polygon" and not geometry.is_empty:
        shell, *holes = (list(ring.coords) for ring in (geometry.exterior, *geometry.interiors))
        return shapely.Polygon(
            turned(shell, draw), [turned(h, draw) for h in draw(st.permutations(holes))]
        )
    if kind == "LineString" and not geometry.is_empty:
        xy = list(geometry.coords)
        return shapely.LineString(
            turned(xy, draw) if xy[0] == xy[-1] else xy[:: draw(st.sampled_from([1, -1]))]
        )
    if hasattr(geometry, "geoms"):
        parts = [rewritten(g, draw) for g in geometry.geoms]
        return type(geometry)(draw(st.permutations(parts)))
    return geometry


def turned(xy, draw):
    k = draw(st.integers(0, len(xy) - 2))
    way = xy[k:-1] + xy[: k + 1]
    return way[:: draw(st.sampled_from([1, -1]))]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_way_to_write_a_geometry_has_its_digest(data):
    geometry = data.draw(geometries(2))
    other = rewritten(geometry, data.draw)
    assert len(set(digests(array(geometry, other)))) == 1
    assert (signatures(array(geometry)) == signatures(array(other))).all()


def test_empty_members_count_with_their_type():
    empties = ["POINT EMPTY", "LINESTRING EMPTY", "POLYGON EMPTY", "MULTIPOINT EMPTY"]
    texts = [f"GEOMETRYCOLLECTION (POINT (0 0), {empty})" for empty in empties]
    assert len(set(digests(array(*shapely.from_wkt(texts))))) == len(empties)
    turned_round = [f"GEOMETRYCOLLECTION ({empty}, POINT (0 0))" for empty in empties]
    assert (
        digests(array(*shapely.from_wkt(texts))) == digests(array(*shapely.from_wkt(turned_round)))
    ).all()


def test_flat_keeps_the_rest():
    lonely = shapely.MultiPoint([(1, 2)])
    two = shapely.MultiPoint([(1, 2), (3, 4)])
    assert flat(array(lonely, two)).tolist() == [shapely.Point(1, 2), two]
    assert len(flat(array())) == len(digests(array())) == len(signatures(array())) == 0

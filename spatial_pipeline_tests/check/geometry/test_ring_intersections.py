import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.ring_intersections import Ring, linework
from spatial_pipeline_tests.check.geometry.shapes import rings

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)]


def cleaned(coordinates, number=0):
    """The ring without repeated points, None when too little is left of it."""
    kept = [i for i, p in enumerate(coordinates) if i == 0 or p != coordinates[i - 1]]
    if len(kept) < 4:
        return None
    xy = np.array([coordinates[i] for i in kept], dtype=float)
    return Ring(number, number, 0, xy, np.array(kept))


def met(*coordinates):
    found = linework([cleaned(c, n) for n, c in enumerate(coordinates)])
    return {
        kind: sorted((m.rings, m.vertex, shapely.to_wkt(m.geometry)) for m in meetings)
        for kind, meetings in vars(found).items()
        if meetings
    }


def test_a_simple_ring_meets_nothing():
    assert met(SQUARE) == {}
    assert linework([]).crossings == []


def test_a_bow_tie_crosses_once():
    assert met([(0, 0), (2, 2), (2, 0), (0, 2), (0, 0)]) == {
        "crossings": [((0, 0), 0, "POINT (1 1)")]
    }


def test_a_crossing_at_a_vertex_is_told_from_a_touch():
    crossing = [(0, 0), (2, 2), (4, 4), (4, 0), (2, 2), (0, 4), (0, 0)]
    assert met(crossing) == {"crossings": [((0, 0), 1, "POINT (2 2)")]}
    touch = [(0, 0), (4, 0), (2, 2), (4, 4), (0, 4), (2, 2), (0, 0)]
    assert met(touch) == {"touches": [((0, 0), 2, "POINT (2 2)")]}


def test_a_vertex_inside_a_segment_touches_or_crosses():
    assert met(SQUARE, [(2, 0), (3, 2), (1, 2), (2, 0)]) == {
        "touches": [((0, 1), 0, "POINT (2 0)")]
    }
    through = met(SQUARE, [(2, 0), (3, 2), (2, -2), (1, 2), (2, 0)])
    assert ((0, 1), "POINT (2 0)") not in [(r, g) for r, _, g in through["crossings"]]
    down = met(SQUARE, [(2, 2), (2, 0), (1, -2), (1, 2), (2, 2)])
    assert ((0, 1), 1, "POINT (2 0)") in down["crossings"]


def test_a_spike_runs_over_itself():
    spike = [(0, 0), (2, 0), (2, 2), (2, 4), (2, 2), (0, 2), (0, 0)]
    assert met(spike) == {"overlaps": [((0, 0), 2, "LINESTRING (2 2, 2 4)")]}


def test_a_spike_that_ends_in_a_crossing_does_not_touch_there():
    ring = [(0, 0), (4, 2), (3, 1), (0, 1), (2, 1), (0, 1), (0, 0)]
    found = met(ring)
    assert set(found) == {"crossings", "overlaps"}
    assert [(m[0], m[2]) for m in found["crossings"]] == [((0, 0), "POINT (2 1)")]


def test_common_stretches_are_joined():
    stairs = [(0, 0), (4, 0), (4, 4), (8, 4), (8, -1), (0, -1), (0, 0)]
    found = met(SQUARE, stairs)
    assert found == {"overlaps": [((0, 1), 0, "LINESTRING (0 0, 4 0, 4 4)")]}


def test_stretches_that_cross_each_other_keep_their_addresses():
    # Where they cross, the joined lines have a rounded point that lies on neither of them.
    one = [(1, 4), (2, 1), (3, 4), (5, 1), (5, 3), (1, 4)]
    two = [(1, 4), (5, 1), (3, 4), (2, 1), (5, 3), (1, 4)]
    found = linework([cleaned(one), cleaned(two, 1)])
    assert {m.rings for m in found.overlaps} == {(0, 1)}
    assert all(m.vertex >= 0 for m in found.overlaps)


def test_vertices_are_numbered_as_they_are_stored():
    assert met(SQUARE, [(1, 1), (1, 1), (2, 0), (3, 1), (1, 1)]) == {
        "touches": [((0, 1), 2, "POINT (2 0)")]
    }


def exact(p):
    return Fraction(p[0]), Fraction(p[1])


def cross(o, a, b):
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def on(p, s):
    a, b = s
    inside = all(min(a[k], b[k]) <= p[k] <= max(a[k], b[k]) for k in (0, 1))
    return cross(a, b, p) == 0 and inside


def proper(s, t):
    (a, b), (c, d) = s, t
    d1, d2, d3, d4 = cross(a, b, c), cross(a, b, d), cross(c, d, a), cross(c, d, b)
    if not (d1 * d2 < 0 and d3 * d4 < 0):
        return None
    share = d3 / (d3 - d4)
    return tuple(a[k] + share * (b[k] - a[k]) for k in (0, 1))


def oracle(all_rings):
    """Crossings, touches and overlaps by trying all pairs in exact arithmetic."""
    segments = [
        (r, k, (exact(ring.coordinates[k]), exact(ring.coordinates[k + 1])), len(ring))
        for r, ring in enumerate(all_rings)
        for k in range(len(ring))
    ]
    crossings, overlaps, nodes = set(), {}, {}
    for (r, k, s, n), (q, m, t, _) in combinations(segments, 2):
        point = proper(s, t)
        if point is not None:
            crossings.add(((r, q), point))
        shared = {p for p in s if on(p, t)} | {p for p in t if on(p, s)}
        if len(shared) > 1:
            overlaps.setdefault((r, q), []).append(shapely.LineString(sorted(shared)))
        elif shared and not (r == q and (m - k) % n in {1, n - 1}):
            nodes.setdefault(shared.pop(), set()).update({(r, k), (q, m)})
    touches = set()
    for p, around in nodes.items():
        passes = {}
        for r, k in around:
            c, n = all_rings[r].coordinates, len(all_rings[r])
            a, b = exact(c[k]), exact(c[k + 1])
            before = k if p != a else (k - 1) % n
            after = (k + 1) % n if p == b else k
            vertex = p in {a, b}
            name = (r, (k + 1) % n if p == b else k) if vertex else (r, k + 0.5)
            passes[name] = [exact(c[before]), exact(c[after + 1])]
        for (one, ends), (two, others) in combinations(sorted(passes.items()), 2):
            # Rays are sorted around the point: two paths cross if their rays alternate.
            angle = [math.atan2(e[1] - p[1], e[0] - p[0]) for e in (*ends, *others)]
            if any(abs(x - y) < 1e-9 for x in angle[:2] for y in angle[2:]):
                continue
            low, high = sorted(angle[:2])
            between = [low < x < high for x in angle[2:]]
            target = crossings if between[0] != between[1] else touches
            target.add(((one[0], two[0]), p))
    return crossings, touches - crossings, overlaps


@settings(max_examples=150, deadline=None)
@given(st.lists(rings(4, most=7), min_size=1, max_size=3))
def test_meetings_are_those_of_all_pairs_of_segments(drawn):
    kept = [ring for n, c in enumerate(drawn) if (ring := cleaned(c, n)) is not None]
    found = linework(kept)
    crossings, touches, overlaps = oracle(kept)

    def places(meetings):
        return {(m.rings, round(m.geometry.x, 9), round(m.geometry.y, 9)) for m in meetings}

    def rounded(expected):
        return {(rings, round(float(x), 9), round(float(y), 9)) for rings, (x, y) in expected}

    assert places(found.crossings) == rounded(crossings)
    assert places(found.touches) == rounded(touches)
    assert {m.rings for m in found.overlaps} == set(overlaps)
    for pair, lines in overlaps.items():
        joined = shapely.union_all([m.geometry for m in found.overlaps if m.rings == pair])
        assert shapely.hausdorff_distance(joined, shapely.union_all(lines)) < 1e-9


@settings(max_examples=30, deadline=None)
@given(rings(4, most=7), st.floats(1e-3, 1e3), st.floats(-1e6, 1e6))
def test_meetings_do_not_depend_on_scale_and_place(ring, scale, shift):
    kept = cleaned(ring)
    if kept is None:
        return
    # Powers of two move no bit of the coordinates.
    factor, offset = 2.0 ** round(math.log2(scale)), float(round(shift))
    moved = Ring(0, 0, 0, (kept.coordinates + offset) * factor, kept.vertex)
    one, two = linework([kept]), linework([moved])
    for kind in ("crossings", "touches", "overlaps"):
        assert [m.vertex for m in getattr(one, kind)] == [m.vertex for m in getattr(two, kind)]

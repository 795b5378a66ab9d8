from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.geometry.star_shaped import turning
from spatial_pipeline.check.geometry.wkb_rings import plain_rings

BOW_TIE = [(0, 0), (2, 2), (2, 0), (0, 2)]
TWICE_AROUND = [(2, 0), (0, 2), (-2, 0), (0, -2), (1, 0), (0, 1), (-1, 0), (0, -1)]
ELL = [(0, 0), (9, 0), (9, 4), (4, 4), (4, 9), (0, 9)]
SICKLE = [(0, 0), (9, 0), (9, 9), (8, 9), (8, 1), (0, 1)]


def _turning(polygons):
    wkb = [shapely.to_wkb(shapely.Polygon(p) if isinstance(p, list) else p) for p in polygons]
    rings = plain_rings(pa.array(wkb, pa.binary()))
    assert len(rings) == len(polygons)
    return turning(rings).tolist()


def test_star_shaped_rings_are_known_with_their_direction():
    assert _turning([ELL, ELL[::-1], shapely.box(0, 0, 1, 1), [(0, 0), (1, 0), (0, 1)]]) == [
        1, -1, -1 if shapely.box(0, 0, 1, 1).exterior.is_ccw is False else 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "ring",
    [
        BOW_TIE,
        TWICE_AROUND,
        SICKLE,
        [(0, 0), (1, 1), (2, 2)],
        [(0, 0), (0, 0), (0, 0)],
        [(0, 0), (4, 0), (4, 0), (4, 4), (0, 4)],
        [(0, 0), (4, 0), (2, 0), (4, 4), (0, 4)],
        [(0, 0), (1e300, 0), (1e300, 1e300), (0, 1e300)],
        [(0, 0), (1e-200, 0), (1e-200, 1e-200), (0, 1e-200)],
        [(0, 0), (np.inf, 0), (1, 1)],
    ],
)
def test_others_are_not_judged(ring):
    with np.errstate(all="ignore"):
        assert _turning([ring, ELL]) == [0, 1]


def _exactly(ring):
    """Which way a triangle runs, in rational numbers."""
    (ax, ay), (bx, by), (cx, cy) = [(Fraction(float(x)), Fraction(float(y))) for x, y in ring]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (area > 0) - (area < 0)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e7)),
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    st.floats(0, 1),
    st.integers(-2, 2),
)
def test_a_needle_thinner_than_rounding_is_judged_rightly_or_not_at_all(start, along, at, ulps):
    (x, y), (dx, dy) = start, along
    tip = y + at * dy
    needle = [(x, y), (x + dx, y + dy), (x + at * dx, tip + ulps * np.spacing(tip))]
    assert _turning([needle])[0] in {0, _exactly(needle)}


def test_a_needle_that_is_none_is_not_judged():
    assert _turning(
        [[(400_000.5, 5_000_000.25), (400_002.5, 5_000_001.25), (400_001.5, 5e6 + 0.75)]]
    ) == [0]


def test_rings_of_very_different_size_are_known():
    small = [(400_000 + x / 1000, 5_000_000 + y / 1000) for x, y in ELL]
    large = [(1e6 * x, 1e6 * y) for x, y in ELL]
    assert _turning([small, large[::-1], small[::-1]]) == [1, -1, -1]


def test_no_ring_at_all():
    assert _turning([]) == []


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 9),
    st.sampled_from([0.0, 1.0, 4.0]),
    st.sampled_from([(0, 0), (400_000, 5_000_000), (1e12, 1e12)]),
)
def test_what_is_known_is_valid_and_runs_as_said(seed, corners, grid, shift):
    """Rings of random corners, on a coarse grid half of the time, which makes them degenerate."""
    random = np.random.default_rng(seed)
    polygons = []
    for _ in range(30):
        ring = random.uniform(-3, 3, (corners, 2))
        if random.random() < 0.5:
            ring = ring[np.argsort(np.arctan2(ring[:, 1], ring[:, 0]))]
        polygons.append(shapely.Polygon(np.round(ring * grid) / grid if grid else ring))
    polygons = [translate(p, *shift) for p in polygons]
    for polygon, turn in zip(polygons, _turning(polygons), strict=True):
        if turn:
            assert polygon.is_valid
            assert polygon.exterior.is_ccw == (turn > 0)


def test_convex_polygons_are_all_known():
    random = np.random.default_rng(1)
    hulls = [shapely.MultiPoint(random.uniform(0, 9, (7, 2))).convex_hull for _ in range(200)]
    assert all(_turning([translate(h, 400_000, 5_000_000) for h in hulls]))

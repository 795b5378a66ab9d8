from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.topology.rings import plain_rings
from spatial_pipeline.check.topology.star import turning

BOW_TIE = [(0, 0), (2, 2), (2, 0), (0, 2)]
TWICE_AROUND = [(2, 0), (0, 2), (-2, 0), (0, -2), (1, 0), (0, 1), (-1, 0), (0, -1)]
ELL = [(0, 0), (9, 0), (9, 4), (4, 4), (4, 9), (0, 9)]
SICKLE = [(0, 0), (9, 0), (9, 9), (8, 9), (8, 1), (0, 1)]


def _turning(polygons):
    wkb = [shapely.to_wkb(shapely.Polygon(p) if isinstance(p, list) else p) for p in polygons]
    rings, plain = plain_rings(pa.array(wkb, pa.binary()))
    assert plain.all()
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


def test_a_needle_thinner_than_rounding_is_not_judged():
    x, y = 400_000.1, 5_000_000.3
    needle = [(x, y), (x + 10.6, y + 7.6), (x + 5.3, np.nextafter(y + 3.8, 0))]
    assert _turning([needle]) == [0]


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

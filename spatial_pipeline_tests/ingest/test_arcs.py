"""Arcs as chords: every position lies on the circle, no chord is too far from it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.arcs import TOLERANCE, stroked

EXACT = st.integers(-1000, 1000).map(lambda n: n / 8)
POSITIONS = st.tuples(EXACT, EXACT)


def one(*positions, arcs=True):
    xyz = np.array(positions, dtype=float)
    return stroked(xyz, np.array([len(xyz)]), np.array([0]), np.array([arcs]))


def circle(a, b, c):
    """Centre and squared radius by exact arithmetic; None where the positions are on a line."""
    (ax, ay), (bx, by), (cx, cy) = [(Fraction(x), Fraction(y)) for x, y in (a, b, c)]
    if (ax, ay) == (cx, cy) != (bx, by):
        x, y = (ax + bx) / 2, (ay + by) / 2
        return x, y, (ax - x) ** 2 + (ay - y) ** 2
    d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    if d == 0:
        return None
    a2, b2, c2 = ax**2 + ay**2, bx**2 + by**2, cx**2 + cy**2
    x = (a2 * (by - cy) + b2 * (cy - ay) + c2 * (ay - by)) / d
    y = (a2 * (cx - bx) + b2 * (ax - cx) + c2 * (bx - ax)) / d
    return x, y, (ax - x) ** 2 + (ay - y) ** 2


@settings(max_examples=300, deadline=None)
@given(POSITIONS, POSITIONS, POSITIONS, st.sampled_from([0.0, 500_000.0]))
def test_chords_keep_to_the_circle(a, b, c, far):
    a, b, c = [(x + far, y + 10 * far) for x, y in (a, b, c)]
    found = one(a, b, c)
    line = found.positions
    # Ends and the middle are what was given.
    assert line[0].tolist() == list(a)
    assert line[-1].tolist() == list(c)
    assert any(p == list(b) for p in line.tolist())
    known = circle(a, b, c)
    if known is None:
        assert line.tolist() == [list(a), list(b), list(c)]
        return
    x, y, radius = float(known[0]), float(known[1]), math.sqrt(known[2])
    assume(radius < 1e6)
    reach = np.hypot(line[:, 0] - x, line[:, 1] - y)
    assert np.abs(reach - radius).max() <= 1e-9 * (1 + radius + 10 * far)
    # The sagitta of each chord, by its length.
    chord = np.hypot(*np.diff(line, axis=0).T)
    sagitta = radius - np.sqrt(np.maximum(radius**2 - chord**2 / 4, 0))
    length = float(chord.sum())
    rounding = 1e-8 * (1 + radius)
    assert sagitta.max() <= TOLERANCE * min(radius, length * 1.001) + rounding
    assert found.largest == pytest.approx(sagitta.max(), rel=1e-3, abs=rounding)
    # Positions go round once, in one direction.
    turn = np.unwrap(np.arctan2(line[:, 1] - y, line[:, 0] - x))
    assert abs(turn[-1] - turn[0]) <= 2 * math.pi + 1e-6
    steps = np.diff(turn)
    assert (steps > 0).all() or (steps < 0).all()


@settings(max_examples=200, deadline=None)
@given(POSITIONS, POSITIONS, POSITIONS)
def test_an_arc_is_the_same_in_either_direction(a, b, c):
    assume(a != c)
    there, back = one(a, b, c), one(c, b, a)
    assert there.positions[::-1].tobytes() == back.positions.tobytes()
    assert there.largest == back.largest


def test_a_whole_circle_runs_counterclockwise():
    line = one((0, 0), (2, 0), (0, 0)).positions
    x, y = line.T
    assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2 == pytest.approx(math.pi, rel=1e-3)


def test_heights_and_measures_run_along_the_arc():
    line = one((1, 0, 0, 10), (0, 1, 9, 20), (-1, 0, 0, 30)).positions
    angle = np.arctan2(line[:, 1], line[:, 0])
    np.testing.assert_allclose(line[:, 3], 10 + 20 * angle / math.pi, atol=1e-9)
    assert line[:, 2].max() == 9
    half = len(line) // 2
    np.testing.assert_allclose(line[: half + 1, 2], 18 * angle[: half + 1] / math.pi, atol=1e-9)


@pytest.mark.parametrize(
    "positions",
    [
        [(0, 0), (1, 0), (2, 0)],
        [(0, 0), (2, 0), (1, 0)],
        [(0, 0), (0, 0), (1, 1)],
        [(0, 0), (1, 1), (1, 1)],
        [(1, 1), (1, 1), (1, 1)],
        [(0, 0), (1e-13, 1), (0, 2)],
        [(0, 0), (math.nan, 1), (0, 2)],
        [(0, 0), (math.inf, 1), (0, 2)],
        [(math.nan, math.nan), (1, 1), (0, 2)],
        [(0, 0), (1e308, 1e308), (-1e308, 1e308)],
    ],
    ids=str,
)
def test_what_is_no_arc_stays_as_it_is(positions):
    found = one(*positions)
    np.testing.assert_array_equal(found.positions, positions)
    assert found.largest == 0


def test_a_flat_arc_of_a_large_radius_keeps_to_its_length():
    # A kilometre of a circle of 100 km: its height is 1.25 m.
    angle = np.array([0, 0.005, 0.01])
    found = one(*np.stack([1e5 * np.sin(angle), 1e5 * np.cos(angle)], axis=1))
    assert 0 < found.largest <= 0.1 * 1.0001


def test_runs_of_a_line_are_joined_and_lines_are_not():
    xy = np.array([(0, 0), (1, 1), (2, 0), (2, 0), (3, 0), (3, 0), (4, 0), (9, 9), (5, 5)], float)
    counts, lines = np.array([3, 2, 2, 2]), np.array([0, 0, 1, 1])
    found = stroked(xy, counts, lines, np.array([True, False, False, False]))
    assert found.positions[found.owners == 0][-2:].tolist() == [[2, 0], [3, 0]]
    assert found.positions[found.owners == 1].tolist() == [[3, 0], [4, 0], [9, 9], [5, 5]]
    assert (np.diff(found.owners) >= 0).all()


def test_nothing():
    none = np.empty(0, dtype=np.int64)
    found = stroked(np.empty((0, 2)), none, none, np.empty(0, dtype=bool))
    assert (found.positions.shape, found.owners.shape, found.largest) == ((0, 2), (0,), 0.0)

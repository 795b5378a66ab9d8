from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import arrangement
from spatial_pipeline.check.coverage.arrangement import (
    EdgeChain,
    boundary_edges,
    cancelled,
    directed_edges,
)
from spatial_pipeline.check.geometry.rounding import noise
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages, polygonal, squares


def _array(geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _net(polygons):
    """Net runs of every edge, by a dictionary."""
    net = {}
    for polygon in polygons:
        for part in shapely.get_parts(polygon):
            part = shapely.orient_polygons(part)
            for ring in (part.exterior, *part.interiors):
                coords = [(x + 0.0, y + 0.0) for x, y in np.array(ring.coords)[:, :2]]
                for a, b in pairwise(coords):
                    if a != b:
                        low, high = min(a, b), max(a, b)
                        net[low + high] = net.get(low + high, 0) + (1 if low == a else -1)
    return {edge: runs for edge, runs in net.items() if runs}


def _dict(chain):
    return {tuple(e): n for e, n in zip(chain.edges.tolist(), chain.net.tolist(), strict=True)}


def test_shells_run_ccw_and_holes_cw_whatever_their_order():
    shell, hole = [(0, 0), (3, 0), (3, 3), (0, 3)], [(1, 1), (2, 1), (2, 2), (1, 2)]
    seen = set()
    for s in (shell, shell[::-1]):
        for h in (hole, hole[::-1]):
            edges = boundary_edges(shapely.Polygon(s, [h]))
            seen.add(tuple(sorted(map(tuple, edges.tolist()))))
    (edges,) = seen
    assert (0, 0, 3, 0) in edges
    assert (1, 2, 2, 2) in edges
    assert len(edges) == 8


def test_edges_without_length_are_dropped_and_zero_has_no_sign():
    polygon = shapely.Polygon([(-0.0, 0), (1, 0), (1, 0), (1, 1), (0.0, -0.0)])
    edges = directed_edges(_array([polygon]))
    assert len(edges) == 3
    assert not np.signbit(edges.x).any()
    assert not np.signbit(edges.y).any()


def test_only_the_outline_of_a_coverage_is_left():
    chain, source, once = cancelled(directed_edges(_array(squares(4, 3))))
    assert len(chain) == len(source) == 14
    assert (np.abs(chain.net) == 1).all()
    assert once.sum() == 14


def test_duplicates_do_not_cancel():
    chain, _, once = cancelled(directed_edges(_array(squares(1, 1) * 3)))
    assert len(chain) == 4
    assert (np.abs(chain.net) == 3).all()
    assert not once.any()


def test_nothing_is_left_of_nothing():
    chain, source, once = cancelled(directed_edges(_array([])))
    assert len(chain) == len(source) == len(once) == 0
    assert len(EdgeChain.sum([])) == 0


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.integers(1, 7))
def test_what_is_left_is_the_sum_of_all_runs_however_it_is_cut(features, cuts):
    polygons = [p for p in map(polygonal, features) if p is not None and p.is_valid]
    expected = _net(polygons)
    whole, source, _ = cancelled(directed_edges(_array(polygons)))
    assert _dict(whole) == expected
    assert len(source) == len(whole)
    parts = [cancelled(directed_edges(_array(polygons[i::cuts])))[0] for i in range(cuts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrangement, "AT_ONCE", 2)
        summed, again = EdgeChain.sum(parts), EdgeChain.sum(parts[::-1])
    assert _dict(summed) == expected
    assert list(map(tuple, summed.edges.tolist())) == sorted(expected)
    assert summed.edges.tolist() == again.edges.tolist()
    assert summed.net.tolist() == again.net.tolist()


@pytest.mark.parametrize("factor", ["_X_FACTOR", "_LAST_FACTOR"])
def test_equal_hashes_of_different_edges_are_told_apart(monkeypatch, factor):
    polygons = _array([*squares(5, 4), *squares(2, 2)])
    expected = _dict(cancelled(directed_edges(polygons))[0])
    monkeypatch.setattr(arrangement, factor, np.uint64(0))
    assert _dict(cancelled(directed_edges(polygons))[0]) == expected


def test_noise_is_four_spacings_along_the_perimeter():
    (limit,) = noise(_array([shapely.box(0, -5e6, 1, -5e6 + 1)]))
    assert limit == 4 * 4 * np.spacing(5e6)
    assert len(noise(_array([]))) == 0

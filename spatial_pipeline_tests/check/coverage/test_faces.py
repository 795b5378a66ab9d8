from __future__ import annotations

import threading

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from spatial_pipeline.check.coverage import faces
from spatial_pipeline.check.coverage.arrangement import cancelled, directed_edges, segments
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages, polygonal, squares
from spatial_pipeline_tests.support import memory_vector


def _edges(polygons):
    areas = np.empty(len(polygons), dtype=object)
    areas[:] = polygons
    return cancelled(directed_edges(areas))[0].edges


def _at_once(edges):
    """The faces of all edges in one arrangement."""
    noded = shapely.union_all(segments(edges))
    return shapely.normalize(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))


def _same(edges):
    found = faces.faces(edges)
    assert sorted(shapely.to_wkb(found.cells)) == sorted(shapely.to_wkb(_at_once(edges)))
    assert shapely.is_valid(found.cells).all()
    inside = shapely.intersects(found.cells, found.inner)
    assert inside[shapely.area(found.cells) > 1e-3].all()
    return found


def _ring(outer, inner, x=0.0, y=0.0):
    return translate(shapely.box(-outer, -outer, outer, outer), x, y).difference(
        translate(shapely.box(-inner, -inner, inner, inner), x, y)
    )


def test_faces_of_crossing_segments():
    cross = np.array([[0, 0, 2, 2], [2, 2, 2, 0], [2, 0, 0, 2], [0, 2, 0, 0]], dtype=float)
    found = faces.faces(cross)
    assert shapely.area(found.cells).tolist() == [1.0, 1.0]
    assert found.clashing.tolist() == [True, False, True, False]


def test_nothing_has_no_faces():
    found = faces.faces(np.empty((0, 4)))
    assert len(found.cells) == len(found.inner) == len(found.clashing) == 0


@pytest.mark.parametrize("group", [1, 7, 2048])
def test_sets_of_edges_in_faces_of_others_are_cut_out_of_the_smallest(monkeypatch, group):
    monkeypatch.setattr(faces, "GROUP", group)
    nested = [_ring(a, a - 0.5) for a in range(1, 9)]
    twins = [_ring(0.2, 0.1, x, 7.75) for x in (-1.0, 0.0, 1.0)]
    touching = [shapely.box(20 + i, 20 + i, 21 + i, 21 + i) for i in range(3)]
    aside = [shapely.box(19, 19, 30, 30).buffer(5, join_style="mitre"), *touching]
    found = _same(_edges([*nested, *twins, *aside]))
    assert max(shapely.get_num_interior_rings(found.cells)) == 4
    areas = shapely.area(found.cells)
    assert areas.sum() == pytest.approx(16**2 + 21**2)


@pytest.mark.parametrize("group", [1, 30])
def test_an_island_in_a_face_that_is_no_island_itself(monkeypatch, group):
    """Its box lies in those of faces that do not hold it."""
    monkeypatch.setattr(faces, "GROUP", group)
    corner = shapely.Polygon([(0, 0), (9, 0), (9, 1), (1, 1), (1, 9), (0, 9)])
    _same(_edges([corner, shapely.box(3, 3, 4, 4), shapely.box(0.2, 0.2, 0.4, 0.4)]))


def test_an_island_thinner_than_rounding_is_no_hole():
    slivers = shapely.polygons(
        [
            [(0.7100232814321725, 3.1919452310878507), (1.7539102663959203, 3.1853250194368457),
             (2.797797251359668, 3.1787048077858406)],
            [(2.6960629663849525, 1.8524651062485646), (2.74693010887231, 2.515584957017203),
             (2.797797251359668, 3.1787048077858406)],
        ]
    )  # fmt: skip
    assert 0 < shapely.area(slivers).max() < 1e-16
    edges = np.concatenate([_edges([shapely.box(-5, -5, 10, 11)]), _edges(slivers)])
    found = faces.faces(edges)
    around = found.cells[np.argmax(shapely.area(found.cells))]
    assert not any(shapely.is_empty(shapely.get_rings(around)))
    assert around.equals(shapely.box(-5, -5, 10, 11))


@settings(max_examples=150, deadline=None)
@given(damaged_coverages(), st.sampled_from([1, 3, 16, 2048]), st.sampled_from([1, 4, 512]))
def test_faces_are_those_of_all_edges_at_once(features, group, lines):
    areas = [a for a in map(polygonal, features) if a is not None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faces, "GROUP", group)
        patch.setattr(faces, "LINES", lines)
        _same(_edges(areas))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_connected_things_have_the_lowest_of_them(pairs):
    expected = list(range(31))
    for _ in range(31):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    one, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    assert faces.connected(31, one, other).tolist() == expected


def test_a_long_path_is_connected():
    order = np.random.default_rng(0).permutation(5000)
    assert not faces.connected(5000, order[1:], order[:-1]).any()


def test_faces_of_the_same_edges_are_made_once_for_all_that_ask():
    data = memory_vector(squares(2, 2))
    edges = _edges([*squares(5, 5), *(translate(s, 0.5, 0.5) for s in squares(5, 5))])
    found = [None, None]

    def ask(i):
        found[i] = faces.shared_faces(data, edges.copy())

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is not None
    assert found[0] is found[1]
    other = faces.shared_faces(data, edges[:4])
    assert other is not found[0]
    assert len(other.clashing) == 4

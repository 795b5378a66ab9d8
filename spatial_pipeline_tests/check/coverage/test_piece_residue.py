from __future__ import annotations

import gc
import weakref
from collections import Counter

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import piece_residue as module
from spatial_pipeline.check.coverage.arrangement import EdgeChain, cancelled, directed_edges
from spatial_pipeline.check.coverage.piece_residue import outlines
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.eligible import LINE, POLYGON, judged
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages, squares, voronoi
from spatial_pipeline_tests.support import memory_vector


def _edges(chain):
    return Counter(
        {tuple(e): n for e, n in zip(chain.edges.tolist(), chain.net.tolist(), strict=True)}
    )


@settings(max_examples=60, deadline=None)
@given(damaged_coverages(), st.sampled_from([1, 3, 10, 4096]), st.booleans())
def test_a_piece_is_what_shapely_makes_of_it(features, chunk, decoded_before):
    data = memory_vector(features)
    batch = data.everything
    (expected, lines), left_out = judged(data.take(np.arange(len(features)), ()), data.profile,
                                         (POLYGON, LINE))  # fmt: skip
    chain, _, _ = cancelled(directed_edges(expected.geometry))
    if decoded_before:
        _ = batch.geometry, batch.valid
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        found = outlines(batch, data.profile)
    assert found.index.tolist() == expected.index.tolist()
    whole, runners = found.chain(np.empty(0, dtype=np.int64))
    assert _edges(whole) == _edges(chain)
    alone = found.lone[: len(found.lone) // 2]
    kept, _ = found.chain(alone)
    both = EdgeChain.concat([kept, cancelled(directed_edges(found.geometry(alone)))[0]])
    assert _edges(EdgeChain.sum([both])) == _edges(chain)
    (_, other_lines), other_left_out = found.layers(data.profile, (POLYGON, LINE))
    assert other_lines.index.tolist() == lines.index.tolist()
    assert other_left_out.rows.tolist() == left_out.rows.tolist()
    assert other_left_out.kinds.tolist() == left_out.kinds.tolist()
    assert shapely.equals_exact(found.geometry(expected.index), expected.geometry).all()
    of = dict(zip(expected.index.tolist(), expected.geometry, strict=True))
    for edge, runner in zip(whole.edges, runners.tolist(), strict=True):
        ends = shapely.points(edge.reshape(2, 2))
        assert shapely.intersects(of[runner].boundary, ends).all()


@settings(max_examples=25, deadline=None)
@given(damaged_coverages(), st.sampled_from([1, 3, 4096]))
def test_lone_polygons_hold_all_that_share_no_edge(features, chunk):
    data = memory_vector(features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        found = outlines(data.everything, data.profile)
    areas = found.geometry(found.index)
    for i, area in zip(found.index.tolist(), areas, strict=True):
        apart = all(
            shapely.disjoint(area.boundary, b.boundary)
            for k, b in zip(found.index.tolist(), areas, strict=True)
            if k != i
        )
        if apart and len(shapely.get_rings(shapely.get_parts(area))) == 1:
            assert i in found.lone
    for i in found.lone.tolist():
        assert len(shapely.get_rings(shapely.get_parts(found.geometry(np.array([i]))))) == 1


def test_star_shaped_polygons_are_not_decoded(monkeypatch):
    data = memory_vector(voronoi(np.random.default_rng(0), 200))
    batch = data.take(np.arange(200), ())
    monkeypatch.setattr("spatial_pipeline.model.features.decoded", lambda w: np.full(len(w), None))
    found = outlines(batch, data.profile)
    assert len(found.stars) == 200
    assert len(found.rest) == 0
    assert "geometry" not in batch.__dict__


def test_pieces_are_worked_out_once():
    data = memory_vector(squares(3, 3))
    assert outlines(data.everything, data.profile) is outlines(data.everything, data.profile)


def test_nothing_has_no_outline():
    data = memory_vector([])
    found = outlines(data.everything, data.profile)
    chain, runners = found.chain(np.empty(0, dtype=np.int64))
    assert (len(chain), len(runners), len(found.index), found.left) == (0, 0, 0, 0)


def test_a_piece_goes_when_nobody_holds_it_while_the_collector_rests():
    data = memory_vector(squares(3, 3))
    batch = data.take(np.arange(9), ())
    gone = weakref.ref(batch)
    gc.disable()
    try:
        assert len(outlines(batch, data.profile).index) == 9
        del batch
        assert gone() is None
    finally:
        gc.enable()


def test_what_lies_within_boxes_is_worked_out_once_for_the_same_boxes(monkeypatch):
    data = memory_vector(squares(6, 6))
    batch, none = data.everything, np.empty(0, dtype=np.int64)
    whole, bounds = outlines(batch, data.profile), data.feature_bounds()
    changed = np.array([[0.0, 0.0, 2.0, 1.0]])
    found = whole.within(Boxes(changed), bounds, none)
    assert len(found.take(found.inside)) == 3
    assert set(found.runner[found.inside].tolist()) == {0, 1}
    with monkeypatch.context() as patch:
        patch.setattr(module, "inside_near", lambda *_: pytest.fail("worked out again"))
        assert whole.within(Boxes(changed), bounds, none) is found
    other = whole.within(Boxes(np.array([[0.0, 0.0, 1.0, 1.0]])), bounds, none)
    assert other.inside.sum() == 2

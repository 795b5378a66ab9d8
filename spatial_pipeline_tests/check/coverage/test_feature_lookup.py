from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage.feature_lookup import FeatureLookup, around, bare
from spatial_pipeline_tests.check.coverage.coverages import squares
from spatial_pipeline_tests.support import memory_vector


def _data():
    return memory_vector(squares(5, 4), {"a": list(range(20)), "b": list("x" * 20)})


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)), st.sampled_from([(), ("a",)]))
def test_features_are_the_same_known_or_read(kept, wanted, columns):
    data = _data()
    kept, wanted = (np.array(sorted(s), dtype=np.int64) for s in (kept, wanted))
    parts = [data.take(some, ("b", "a")) for some in (kept[::2], kept[1::2])]
    batch = FeatureLookup(data, parts, columns).take(wanted)
    assert batch.rows.tolist() == batch.positions.tolist() == wanted.tolist()
    assert shapely.equals_exact(batch.geometry, data.everything.geometry[wanted]).all()
    assert batch.table.select(list(columns)).to_pylist() == (
        [{"a": int(w)} for w in wanted] if columns else batch.table.select([]).to_pylist()
    )


def test_what_is_known_is_not_read_again(monkeypatch):
    data = _data()
    known = FeatureLookup(data, [data.take(np.array([3, 4, 8]), ())])
    monkeypatch.setattr(data, "take", lambda *_: pytest.fail("read again"))
    assert known.take(np.array([3, 8])).rows.tolist() == [3, 8]


def test_bare_features_carry_nothing_that_was_worked_out():
    batch = _data().everything
    _ = batch.geometry, batch.valid
    taken = bare(batch, np.array([1, 2]))
    assert not {"geometry", "valid"} & set(taken.__dict__)
    assert taken.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]


def test_those_beside_some_features_are_kept_with_them():
    bounds = shapely.bounds(np.array(squares(20, 20), dtype=object))
    bounds[17] = np.nan
    kept = around(bounds, np.array([210]))
    beside = {210 + a + 20 * b for a in (-1, 0, 1) for b in (-1, 0, 1)}
    assert beside <= set(kept.tolist())
    assert len(kept) < 40
    assert around(bounds, np.arange(300)).tolist() == list(range(300))
    assert around(bounds, np.array([17])).tolist() == [17]
    assert around(np.full((3, 4), np.nan), np.array([1])).tolist() == [1]
    assert around(np.empty((0, 4)), np.empty(0, np.int64)).tolist() == []

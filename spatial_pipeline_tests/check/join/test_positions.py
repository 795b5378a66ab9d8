"""Positions are kept in little memory and come back as they were."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.check.join.positions import marked, packed, unpacked

ASCENDING = st.lists(st.integers(0, 2**40), unique=True).map(sorted)


@given(ASCENDING)
def test_positions_come_back_as_they_were(positions):
    given_ = np.array(positions, dtype=np.int64)
    back = unpacked(pickle.loads(pickle.dumps(packed(given_))))
    assert back.dtype == np.int64
    assert back.tolist() == positions


@pytest.mark.parametrize(
    ("positions", "size"), [(np.arange(5, 10_000), 0), (np.arange(0, 10_000, 2), 4)]
)
def test_positions_take_as_few_bytes_as_they_fit_into(positions, size):
    kept = packed(positions)
    assert (0 if isinstance(kept, range) else kept.itemsize) == size


@given(st.sets(st.integers(0, 50)), st.integers(1, 60))
def test_marked_is_membership(positions, cut):
    whole = np.array(sorted(positions), dtype=np.int64)
    parts = [packed(whole[whole < cut]), packed(whole[whole >= cut])]
    assert np.flatnonzero(marked(parts, 51)).tolist() == whole.tolist()

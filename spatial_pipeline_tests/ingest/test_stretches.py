"""Pieces of a buffer, against slices of bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.ingest.stretches import doubles, gathered

DATA = np.random.default_rng(3).bytes(400)
STRETCHES = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 12)), max_size=8)


@pytest.mark.parametrize("ordered", [True, False])
@given(STRETCHES)
def test_doubles_are_those_of_the_slices(ordered: bool, stretches: list[tuple[int, int]]) -> None:
    # Sorted ones may still overlap.
    stretches = sorted(stretches) if ordered else stretches
    at = np.array([a for a, _ in stretches], np.int64)
    counts = np.array([n for _, n in stretches], np.int64)
    wanted = b"".join(DATA[a : a + 8 * n] for a, n in stretches)
    assert doubles(DATA, at, counts).tobytes() == wanted


@given(st.lists(st.integers(0, 390), max_size=8), st.integers(1, 10))
def test_pieces_of_one_size_are_slices(at: list[int], size: int) -> None:
    found = gathered(DATA, np.array(at, np.int64), size)
    assert [bytes(row) for row in found] == [DATA[a : a + size] for a in at]

"""What a geometry is known by."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.hashing.geometry_hash import identities, matched

VALUES = st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=30)


def known_by(values: list[bytes | None], kind: pa.DataType | None = None) -> list[tuple[int, ...]]:
    return [tuple(row) for row in identities(pa.array(values, kind or pa.binary())).tolist()]


@settings(deadline=None)
@given(VALUES)
def test_equal_bytes_and_only_those_are_known_by_the_same(values: list[bytes | None]) -> None:
    found = known_by(values)
    for one, a in zip(values, found, strict=True):
        for other, b in zip(values, found, strict=True):
            assert (one == other) == (a == b)


@settings(deadline=None)
@given(VALUES, st.integers(0, 30))
def test_neighbours_offsets_and_kinds_of_array_do_not_matter(
    values: list[bytes | None], cut: int
) -> None:
    array = pa.array(values, pa.binary())
    whole = identities(array)
    apart = [identities(array.slice(0, cut)), identities(array.slice(cut))]
    assert np.array_equal(whole, np.concatenate(apart))
    assert np.array_equal(whole, identities(pa.chunked_array([array.slice(0, cut), array[cut:]])))
    assert known_by(values, pa.large_binary()) == known_by(values)


@pytest.mark.parametrize("size", [8, 13, 16, 285])
def test_every_bit_matters_in_both_lanes(size: int) -> None:
    plain = bytes(range(7, 7 + min(size, 200))) + bytes(max(size - 200, 0))
    changed = []
    for bit in range(8 * size):
        value = bytearray(plain)
        value[bit // 8] ^= 1 << bit % 8
        changed.append(bytes(value))
    found = identities(pa.array([plain, *changed, plain + b"\0"], pa.binary()))
    for lane in (0, 1):
        assert len(np.unique(found[:, lane])) == len(found)


def test_null_is_known_by_nothing_and_nothing_by_something() -> None:
    assert known_by([None]) == [(0, 0)]
    assert known_by([b""]) != [(0, 0)]


IDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=25)


@settings(deadline=None)
@given(IDS, IDS)
def test_each_old_one_is_matched_once_and_all_that_can_be_are(
    new: list[tuple[int, int]], old: list[tuple[int, int]]
) -> None:
    one = np.asarray(new, dtype=np.uint64).reshape(-1, 2)
    other = np.asarray(old, dtype=np.uint64).reshape(-1, 2)
    found = matched(one, other)
    held = found >= 0
    assert [new[i] for i in np.flatnonzero(held)] == [old[j] for j in found[held]]
    assert len(set(found[held].tolist())) == held.sum()
    assert held.sum() == sum((Counter(new) & Counter(old)).values())

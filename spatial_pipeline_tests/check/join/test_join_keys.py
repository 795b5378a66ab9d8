import decimal
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.positions import packed

TABLES = st.lists(
    st.tuples(
        st.sampled_from([None, "", "a", "A", "é", "a'; drop table"]),
        st.sampled_from([None, 0.0, -0.0, 1.5, math.nan, -math.nan, math.inf]),
    ),
    max_size=12,
)


def table(rows):
    text, number = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({'"; drop': pa.array(text, pa.string()), "x": pa.array(number, pa.float64())})


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return a == b


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_groups_and_hashes_are_those_of_all_pairs(rows):
    groups, hashes = join_keys.groups(table(rows)), join_keys.hashes(table(rows))
    assert len(groups) == len(hashes) == len(rows)
    for i, one in enumerate(rows):
        for j, two in enumerate(rows):
            equal = all(same(a, b) for a, b in zip(one, two, strict=True))
            assert (groups[i] == groups[j]) is np.bool_(equal)
            assert not equal or hashes[i] == hashes[j]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint16(), pa.uint64()])
def test_whole_numbers_have_hashes_of_their_own_in_every_batch(kind):
    most = 2 ** (kind.bit_width - (0 if "uint" in str(kind) else 1)) - 1
    least = 0 if "uint" in str(kind) else -most - 1
    values = [least, None, 1, 6, 7, most]
    column = pa.chunked_array([pa.array(values[:3], kind), pa.array(values[3:], kind)])
    found = join_keys.hashes(pa.table({"a": column}))
    whole = [i for i, value in enumerate(values) if value is not None]
    assert len(np.unique(found[whole])) == len(whole)
    again = join_keys.hashes(pa.table({"a": pa.array([most, 1], kind)}))
    assert again.tolist() == [found[5], found[2]]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=15))
def test_shared_are_the_indices_of_values_that_occur_again(values):
    found = join_keys.shared(np.array(values, dtype=np.int64))
    assert sorted(found.tolist()) == [i for i, v in enumerate(values) if values.count(v) > 1]
    assert [values[i] for i in found] == sorted(values[i] for i in found)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(np.array([1, 2, 1], np.float16)),
        pa.array(
            [decimal.Decimal("1.5"), decimal.Decimal(2), decimal.Decimal("1.5")],
            pa.decimal256(50, 2),
        ),
        pa.array([[1], [1, 2], [1]]),
        pa.array([{"a": 1}, {"a": None}, {"a": 1}]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([b"\0", b"", b"\0"]),
        pa.array([2**63, 1, 2**63], pa.uint64()),
        pa.array([1, 2, 1], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([1, 2, 1], pa.time64("us")),
    ],
    ids=lambda column: str(column.type),
)
def test_every_type_can_be_a_key(column):
    rows = pa.table({"k": column})
    groups, hashes = join_keys.groups(rows), join_keys.hashes(rows)
    assert groups[0] == groups[2] != groups[1]
    assert hashes[0] == hashes[2] != hashes[1]


def test_hashes_are_the_same_in_every_batch():
    whole = pa.table({"k": ["a", "b", "c"]})
    assert join_keys.hashes(whole.slice(2)).tolist() == join_keys.hashes(whole).tolist()[2:]


def test_labels():
    assert join_keys.labels(("a",)) == "'a'"
    assert join_keys.labels((1, "a", None)) == "(1, 'a', None)"


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=6),
    st.sampled_from([1, 2, 5, 1 << 20]),
    st.sampled_from([1, 3, 1 << 16]),
    st.booleans(),
)
def test_suspects_are_the_same_in_any_ranges_of_hashes(pieces, at_once, thrown, spread):
    scale = 1 << 62 if spread else 1
    parts, start = [], 0
    for piece in pieces:
        hashes = np.array(piece, dtype=np.uint64) * np.uint64(scale)
        parts.append((hashes, packed(np.arange(start, start + len(piece)))))
        start += len(piece)
    every = [value for piece in pieces for value in piece]
    wanted = [i for i, value in enumerate(every) if every.count(value) > 1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_keys, "RANGE", at_once)
        patch.setattr(join_keys, "THROWN", thrown)
        assert join_keys.suspects(parts).tolist() == wanted

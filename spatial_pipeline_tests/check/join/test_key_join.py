"""Joins by key, against a dictionary."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join import join_keys as keys
from spatial_pipeline.check.join import key_join as module
from spatial_pipeline.check.join.key_join import Side, by_key, paired
from spatial_pipeline.errors import RuleError
from spatial_pipeline_tests.support import memory_vector


def side(keys, key=("a", "b"), batch_size=3, **options):
    columns = {name: [k[i] for k in keys] for i, name in enumerate(("a", "b"))}
    data = memory_vector([None] * len(keys), columns, batch_size=batch_size)
    return Side.of(data, key, options.get("where"))


pairs = st.tuples(
    st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.sampled_from("xyz"))
)


def whole(keys):
    return [k for k in keys if None not in k]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(pairs, max_size=14),
    st.lists(pairs, max_size=14),
    st.integers(1, 5),
    st.sampled_from([1, 3, 1 << 20]),
)
def test_against_a_dictionary(ours, theirs, batch_size, at_once):
    # A row of each type, so that no column is of type null; it never matches.
    ours, theirs = [(9, "here"), *ours], [(9, "there"), *theirs]
    here, there = side(ours, batch_size=batch_size), side(theirs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "RANGE", at_once)
        patch.setattr(module, "AT_ONCE", 4 * at_once)
        join = by_key(here, there)
    in_ours, in_theirs = Counter(whole(ours)), Counter(whole(theirs))
    expected = [
        (i, theirs.index(k))
        for i, k in enumerate(ours)
        if in_ours[k] == 1 and in_theirs[k] == 1 and None not in k
    ]
    assert list(zip(join.here.tolist(), join.there.tolist(), strict=True)) == expected
    for alone, given_keys, own, other in (
        (join.new, ours, in_ours, in_theirs),
        (join.gone, theirs, in_theirs, in_ours),
    ):
        assert alone.tolist() == [
            i for i, k in enumerate(given_keys) if own[k] == 1 and not other[k] and None not in k
        ]
    for k, given_keys, counts in ((0, ours, in_ours), (1, theirs, in_theirs)):
        repeated = [i for i, key in enumerate(given_keys) if counts[key] > 1]
        assert join.repeated[k].tolist() == repeated
        assert join.times[k].tolist() == [counts[given_keys[i]] for i in repeated]
        assert join.nulls[k].tolist() == [i for i, key in enumerate(given_keys) if None in key]
    assert join.ambiguous == sum(
        own[k] == 1 and other[k] > 1
        for given_keys, own, other in (
            (ours, in_ours, in_theirs),
            (theirs, in_theirs, in_ours),
        )
        for k in whole(given_keys)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=20), st.lists(st.integers(0, 5), max_size=20))
def test_equal_labels_are_paired_in_order(a, b):
    i, j = paired(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64))
    expected = {}
    for label in set(a):
        ours = [k for k, v in enumerate(a) if v == label]
        theirs = [k for k, v in enumerate(b) if v == label]
        expected.update(zip(ours, theirs, strict=False))
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == sorted(expected.items())


def test_keys_and_rows_for_a_reader():
    keyed = side([(1, "x"), (2, "y")])
    assert keyed.labels(np.array([1, 0])) == [(2, "y"), (1, "x")]
    data = memory_vector([None, None], {"a": [5, 6]}, rows=[7, 3])
    assert Side.of(data, (), None).labels(np.array([0])) == [(7,)]


def test_a_condition():
    given_side = side([(1, "x"), (None, "y"), (3, "z")], where="a < 3")
    assert given_side.judged.tolist() == [True, False, False]
    data = memory_vector([None, None], {"a": [5, 6]})
    assert Side.of(data, (), "a > 5").judged.tolist() == [False, True]
    with pytest.raises(RuleError, match="where"):
        side([(1, "x")], where="nope > 1")


def test_a_key_that_is_not_there():
    with pytest.raises(RuleError, match="needs column c of the key in memory"):
        side([(1, "x")], key=("a", "c"))


def test_nothing_to_join():
    here = side([(1, "x")])
    none = here.keys().slice(0, 0)
    there = Side.of(memory_vector([], {"a": none["a"], "b": none["b"]}), ("a", "b"), None)
    assert by_key(here, there).new.tolist() == [0]
    assert by_key(there, here).gone.tolist() == [0]

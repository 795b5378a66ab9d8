import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.keys import StableKeys
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import said
from spatial_pipeline_tests.support import memory_vector, run_rule

RULE = StableKeys(key=("id",))


def delivery(objects, **options):
    """Points at (x, 0) with their keys."""
    keys = pa.array([k for k, _ in objects], pa.int64())
    return memory_vector([shapely.Point(x, 0) for _, x in objects], {"id": keys}, **options)


def compared(rule, now, *before, **options):
    answers = []
    for size in (1000, 1, 2):
        others = [delivery(b, batch_size=size, **options) for b in before]
        result, violations = run_rule(rule, delivery(now, batch_size=size), *others, jobs=2)
        keys = [] if violations.keys is None else violations.keys.tolist()
        answers.append((result.status, result.checked, result.message, said(violations), keys))
    assert all(a == answers[0] for a in answers)
    return answers[0]


def test_keys_that_stay_and_new_ones_pass():
    status, checked, *_ = compared(RULE, [(2, 5), (1, 0), (9, 9)], [(1, 0), (2, 5)])
    assert (status, checked) == (Status.PASSED, 2)


def test_a_key_on_another_object():
    _, _, _, found, keys = compared(RULE, [(1, 0), (2, 8)], [(1, 0), (2, 5)])
    assert [(f[1], f[2], f[3]) for f in found] == [("the key was elsewhere", "POINT (8 0)", 3.0)]
    assert keys == [((1,),)]
    assert compared(RULE.model_copy(update={"max_moved": 3.0}), [(2, 8)], [(2, 5)])[0] == "passed"


def test_lost_keys():
    before = [(1, 0), (2, 5), (3, 7), (4, 9)]
    status, checked, _, found, keys = compared(RULE, before[:3], before)
    assert (status, checked) == (Status.FAILED, 4)
    assert [(f[1], f[2]) for f in found] == [("lost", "POINT (9 0)")]
    assert keys == [((4,),)]
    some = RULE.model_copy(update={"min_kept": 0.75})
    assert compared(some, before[:3], before)[0] is Status.PASSED
    assert len(compared(some, before[:2], before)[3]) == 2


def test_nothing_to_compare():
    result = compared(RULE, [(1, 0)])
    assert result[0] is Status.PASSED
    assert "nothing is published yet to compare with" in result[2]
    assert "needs a key" in compared(StableKeys(), [(1, 0)], [(1, 0)])[2]
    dubious = compared(RULE, [(1, 0), (1, 2), (None, 3)], [(5, 5)])
    assert "3 null or repeated keys not compared" in dubious[2]


OBJECT = st.tuples(st.integers(0, 6), st.integers(0, 3))
OBJECTS = st.lists(OBJECT, max_size=6, unique_by=lambda o: o[0])


@settings(max_examples=25, deadline=None)
@given(OBJECTS, OBJECTS, st.integers(0, 2))
def test_keys_are_those_of_two_dictionaries(now, before, moved):
    rule = RULE.model_copy(update={"max_moved": float(moved)})
    found = compared(rule, now, before)[3]
    here, there = dict(now), dict(before)
    lost = [k for k in there if k not in here]
    far = [k for k in there if k in here and abs(here[k] - there[k]) > moved]
    expected = ["lost"] * len(lost) + ["the key was elsewhere"] * len(far)
    assert sorted(f[1] for f in found) == sorted(expected)


def test_a_key_that_was_gone_comes_back_only_where_it_was():
    once = RULE.model_copy(update={"no_reuse": True, "min_kept": 0.0})
    last, *earlier = [(1, 0)], [(1, 0), (2, 5)], [(2, 9), (3, 3)]
    now = [(1, 0), (2, 9), (3, 3), (4, 4)]
    _, _, _, found, keys = compared(once, now, last, *earlier)
    assert ([(f[1], f[2], f[3]) for f in found], keys) == (
        [("reused", "POINT (9 0)", 4.0)], [((1,),)],
    )  # fmt: skip
    assert compared(once, [(2, 5), (3, 3)], last, *earlier)[0] is Status.PASSED
    with pytest.raises(pydantic.ValidationError, match="leave other out"):
        StableKeys(no_reuse=True, other={"dataset": "a"})


@settings(max_examples=25, deadline=None)
@given(OBJECTS, OBJECTS, OBJECTS, OBJECTS)
def test_reused_keys_are_those_of_dictionaries(now, last, second, first):
    rule = RULE.model_copy(update={"no_reuse": True, "min_kept": 0.0, "max_moved": 1.0})
    found = compared(rule, now, last, second, first)[3]
    then = {**dict(first), **dict(second)}
    reused = [k for k, x in now if k not in dict(last) and abs(then.get(k, x) - x) > 1]
    far = [k for k, x in now if abs(dict(last).get(k, x) - x) > 1]
    expected = ["reused"] * len(reused) + ["the key was elsewhere"] * len(far)
    assert sorted(f[1] for f in found) == sorted(expected)

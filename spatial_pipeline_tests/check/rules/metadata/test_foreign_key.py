import pyarrow as pa
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.contract.rules.joins import ForeignKey
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.joins import joined

OTHER = {"dataset": "streets"}


def test_keys_that_the_other_dataset_does_not_have():
    rule = ForeignKey(columns=("street",), other_columns=("id",), other=OTHER)
    own = {"street": [1, 2, 2, 9, None]}
    result, violations = joined(rule, own, {"id": [2, 1, 1, None]})
    assert [f[:3] for f in violations] == [
        ((3,), "street = 9: not in the other dataset", "POINT (3 0)")
    ]
    assert (result.status, result.checked) == (Status.FAILED, 4)
    assert "1 row with a null in the key not judged" in result.message
    assert joined(rule, {"street": [1, 2]}, {"id": [1.0, 2.0, 3.5]})[0].passed


def test_keys_of_several_columns():
    rule = ForeignKey(columns=("a", "b"), other=OTHER)
    own = {"a": [1, 1, 2, None], "b": ["x", "y", "x", "x"]}
    _, violations = joined(rule, own, {"a": [1, 2], "b": ["x", "y"]})
    assert [f[:2] for f in violations] == [
        ((1,), "a = 1, b = 'y': not in the other dataset"),
        ((2,), "a = 2, b = 'x': not in the other dataset"),
    ]


def test_conditions_of_both_sides_and_of_pairs():
    own, other = {"k": [1, 1, 2], "t": [5, 1, 5]}, {"k": [1, 2], "from_": [3, 9]}
    some = ForeignKey(columns=("k",), other=OTHER, where="t > 1", other_where="from_ < 9")
    assert [f[0] for f in joined(some, own, other)[1]] == [(2,)]
    rule = ForeignKey(columns=("k",), other=OTHER, unless="a.t < b.from_")
    assert [f[0] for f in joined(rule, own, other)[1]] == [(1,), (2,)]
    wrong = ForeignKey(columns=("k",), other=OTHER, unless="a.t < nope")
    assert joined(wrong, own, other)[0].message.startswith("unless: ")


def test_an_empty_other_dataset_has_no_keys():
    rule = ForeignKey(columns=("k",), other=OTHER)
    assert joined(rule, {"k": [1]}, {"k": pa.array([], pa.int64())})[0].violations == 1
    assert joined(rule, {"k": pa.array([], pa.int64())}, {"k": [1]})[0].passed


def test_what_cannot_be_joined_is_an_error():
    rule = ForeignKey(columns=("k",), other=OTHER)
    assert "needs column k" in joined(rule, {"k": [1]}, {"j": [1]})[0].message
    assert "needs comparable keys" in joined(rule, {"k": [1]}, {"k": [b"a"]})[0].message
    with pytest.raises(pydantic.ValidationError, match="one for each"):
        ForeignKey(columns=("k",), other_columns=("a", "b"), other=OTHER)


KEYS = st.tuples(st.none() | st.integers(0, 3), st.sampled_from([None, "", "a", "b"]))


@settings(max_examples=25, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=8), st.lists(KEYS, max_size=8), st.booleans())
def test_keys_are_those_of_all_pairs(own, other, ranges):
    def columns(rows):
        a, b = zip(*rows, strict=True) if rows else ((), ())
        return {"a": pa.array(a, pa.int64()), "b": pa.array(b, pa.string())}

    rule = ForeignKey(columns=("a", "b"), other=OTHER)
    with pytest.MonkeyPatch.context() as patch:
        if ranges:
            patch.setattr(join_keys, "RANGE", 2)
        result, violations = joined(rule, columns(own), columns(other))
    whole = [i for i, key in enumerate(own) if None not in key]
    assert [f[0][0] for f in violations] == [i for i in whole if own[i] not in other]
    assert result.checked == len(whole)

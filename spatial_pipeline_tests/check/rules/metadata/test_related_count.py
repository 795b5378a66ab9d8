from collections import Counter

import pyarrow as pa
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.forms import join_rule
from spatial_pipeline.contract.rules.joins import RelatedCount
from spatial_pipeline_tests.check.joins import joined

OTHER = {"dataset": "doors"}
RULE = RelatedCount(other=OTHER, keys={"id": "building"}, min=1, max=2)


def test_too_few_and_too_many():
    own, other = {"id": [1, 2, 3, None]}, {"building": [1, 3, 3, 3, None, 7]}
    result, violations = joined(RULE, own, other)
    assert [(f[0], f[1], f[3]) for f in violations] == [
        ((1,), "id = 2: 0 related, fewer than 1", 0.0),
        ((2,), "id = 3: 3 related, more than 2", 3.0),
    ]
    assert "1 row with a null in the key not judged" in result.message


def test_pairs_that_do_not_count(monkeypatch):
    monkeypatch.setattr(join_rule, "PAIRS", 2)
    own, other = {"id": [1, 2]}, {"building": [1, 1, 1, 2, 2], "use": ["a", "b", "a", "b", "b"]}
    rule = RelatedCount(other=OTHER, keys={"id": "building"}, max=2, unless="b.use = 'b'")
    assert joined(rule, own, other)[0].passed
    rule = RelatedCount(other=OTHER, keys={"id": "building"}, min=1, unless="b.use = 'b'")
    assert [f[0] for f in joined(rule, own, other)[1]] == [(1,)]
    rule = RelatedCount(other=OTHER, keys={"id": "building"}, min=2, other_where="use = 'b'")
    assert [f[0] for f in joined(rule, own, other)[1]] == [(0,)]


def test_mistakes():
    with pytest.raises(pydantic.ValidationError, match="min is larger"):
        RelatedCount(other=OTHER, keys={"a": "b"}, min=2, max=1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=7),
    st.lists(st.none() | st.integers(0, 3), max_size=9),
)
def test_counts_are_those_of_all_pairs(own, other):
    columns = {"id": pa.array(own, pa.int64())}, {"building": pa.array(other, pa.int64())}
    _, violations = joined(RULE, *columns)
    times = Counter(other)
    expected = [i for i, k in enumerate(own) if k is not None and not 1 <= times[k] <= 2]
    assert [f[0][0] for f in violations] == expected

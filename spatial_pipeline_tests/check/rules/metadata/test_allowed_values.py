import asyncio
import datetime as dt
import math

import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.contract.rules.attributes import AllowedValues
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.incremental.test_feature_cache import Kept
from spatial_pipeline_tests.check.joins import joined, table

POINTS = [shapely.Point(i, 0) for i in range(4)]


def test_values_of_a_list_pass_and_nulls_are_not_judged():
    rule = AllowedValues(column="use", values=("house", "field"))
    result, violations = everywhere(rule, POINTS, {"use": ["house", None, "field", "house"]})
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])
    assert result.message == "3 checked; 1 null in use not judged"


def test_every_other_value_is_found():
    rule = AllowedValues(column="use", values=("house",))
    _, violations = everywhere(rule, POINTS, {"use": ["house", "House", "", "house "]})
    assert [f[:3] for f in violations] == [
        ((1,), "use is 'House', not an allowed value", "POINT (1 0)"),
        ((2,), "use is '', not an allowed value", "POINT (2 0)"),
        ((3,), "use is 'house ', not an allowed value", "POINT (3 0)"),
    ]


def test_numbers_by_value_and_truth_by_itself():
    rule = AllowedValues(column="a", values=(1, 2.5))
    _, violations = everywhere(rule, POINTS, {"a": [1.0, 2.5, math.nan, -1.0]})
    assert [f[0] for f in violations] == [(2,), (3,)]
    assert not everywhere(rule, POINTS, {"a": [True, False, True, True]})[0].passed
    days = [dt.date(2026, 1, i + 1) for i in range(4)]
    _, violations = everywhere(AllowedValues(column="a", values=(days[0],)), POINTS, {"a": days})
    assert len(violations) == 3


def test_a_missing_column_and_no_rows():
    rule = AllowedValues(column="b", values=("x",))
    result, _ = everywhere(rule, POINTS, {"a": [1, 2, 3, 4]})
    assert (result.status, result.message) == (Status.ERROR, "needs column b")
    assert everywhere(rule, [], {"b": pa.array([], pa.string())})[0].passed


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=8),
    st.lists(st.integers(-3, 3), min_size=1, max_size=4),
)
def test_rows_are_judged_one_by_one(values, allowed):
    column = pa.array(values, pa.int64())
    points = [shapely.Point(0, 0)] * len(values)
    _, violations = everywhere(AllowedValues(column="a", values=allowed), points, {"a": column})
    bad = [i for i, v in enumerate(values) if v is not None and v not in allowed]
    assert [f[0] for f in violations] == [(i,) for i in bad]


def test_a_code_table_holds_the_values():
    rule = AllowedValues(column="use", other={"dataset": "codes", "column": "code"})
    result, violations = joined(
        rule, {"use": ["a", "z", None, "b"]}, {"code": ["b", "a", None, "a"], "text": list("wxyz")}
    )
    assert [f[:2] for f in violations] == [((1,), "use is 'z', not a code")]
    assert (result.checked, "1 null in use not judged" in result.message) == (3, True)
    assert joined(rule, {"use": [1, 2]}, {"code": [1.0, 2.0]})[0].passed
    assert joined(rule, {"use": ["a"]}, {"c": ["a"]})[0].message == "needs column code in memory"
    assert joined(rule, {"use": ["a"]}, {"code": pa.array([], pa.string())})[0].violations == 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 4), max_size=7),
    st.lists(st.none() | st.integers(0, 4), max_size=7),
)
def test_codes_are_those_of_the_column(own, codes):
    rule = AllowedValues(column="use", other={"dataset": "codes", "column": "code"})
    columns = {"use": pa.array(own, pa.int64())}, {"code": pa.array(codes, pa.int64())}
    _, violations = joined(rule, *columns)
    expected = [i for i, v in enumerate(own) if v is not None and v not in codes]
    assert [f[0][0] for f in violations] == expected


def test_a_code_table_that_changed_is_looked_at_again():
    rule = AllowedValues(column="use", other={"dataset": "codes", "column": "code"})
    data, codes = table({"use": [1, 2]}), table({"code": [1, 2]})
    fewer = table({"code": [1]})
    fewer.version_id = "fewer"

    def answer(others, kept):
        done = evaluate([rule], data, others=lambda _: others, history=kept)
        return asyncio.run(done)[0][0].violations

    kept = Kept(data, None)
    assert answer((codes,), kept) == 0
    assert answer((fewer,), Kept(data, kept)) == 1

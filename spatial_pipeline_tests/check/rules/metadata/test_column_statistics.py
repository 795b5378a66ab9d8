import math
import re
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.statistics import ColumnStatistics
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.engine.test_remote import Elsewhere, said
from spatial_pipeline_tests.support import memory_vector, run_rule

POINTS = [shapely.Point(i, 0) for i in range(6)]
TABLE = {"price": [10, 20, None, 40, 40, None], "kind": ["a", "a", "a", "b", None, "b"]}


def rule(**fields):
    return ColumnStatistics(column="price", **fields)


def told(of, table=TABLE):
    result, violations = everywhere(of, POINTS[: len(next(iter(table.values())))], table)
    return result, [(f[0], f[1], f[3]) for f in violations]


def test_statistics_within_bounds_pass():
    every = rule(
        null_fraction={"max": 0.34},
        distinct={"min": 3, "max": 3},
        mean={"min": 27.5, "max": 27.5},
        quantiles={"0.5": {"min": 30, "max": 30}, "1": {"max": 40}},
    )
    result, found = told(every)
    assert (result.status, result.checked, found) == (Status.PASSED, 5, [])


def test_each_statistic_out_of_bounds_is_a_violation():
    every = rule(null_fraction={"max": 0.3}, mean={"min": 30}, quantiles={"0.25": {"max": 15}})
    result, found = told(every)
    assert found == [
        ((), "0.25 quantile of price is 17.5, above 15", 17.5),
        ((), "mean of price is 27.5, below 30", 27.5),
        ((), "share of nulls of price is 0.333333333333333, above 0.3", 1 / 3),
    ]
    assert result.status is Status.FAILED
    assert told(rule(mean={"min": 30}))[0].message == "mean of price is 27.5, below 30"


def test_groups_are_judged_one_by_one():
    _, found = told(rule(mean={"max": 20}, group_by=("kind",)))
    assert found == [
        ((), "kind 'b': mean of price is 40, above 20", 40.0),
        ((), "kind None: mean of price is 40, above 20", 40.0),
    ]


def test_values_that_are_no_numbers():
    table = {"price": [1.0, math.nan, math.inf]}
    result, found = told(rule(mean={"max": 1}, distinct={"min": 3}), table)
    assert (found, result.message) == ([], "2 checked; 2 NaN or infinite in price not judged")
    _, found = told(rule(mean={"max": 1}), {"price": pa.array([None, None], pa.int32())})
    assert [f[1] for f in found] == ["mean of price does not exist: there is no value"]
    result, _ = told(rule(mean={"max": 1}), {"price": ["a"]})
    assert (result.status, result.message) == (
        Status.ERROR, "column price holds string, no numbers",
    )  # fmt: skip
    assert told(rule(distinct={"max": 1}), {"price": ["a", "a"]})[0].passed
    assert everywhere(rule(mean={"max": 1}), [], {"price": pa.array([], pa.int8())})[0].passed


def test_where_selects_and_other_machines_agree():
    assert told(rule(mean={"max": 20}, where="kind = 'a'"))[0].passed
    data, there = memory_vector(POINTS, TABLE, batch_size=2), Elsewhere()
    bound = [rule(mean={"max": 20}, distinct={"max": 1})]
    assert said(data, bound, remote=there) == said(data, bound)
    assert there.asked


VALUES = st.none() | st.text(max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=8), st.randoms(use_true_random=False), VALUES)
def test_a_checksum_is_that_of_the_values_in_any_order(values, random, other):
    def result(texts, checksum, size):
        table = {"price": pa.array(texts, pa.string())}
        data = memory_vector([None] * len(texts), table, batch_size=size)
        return run_rule(rule(checksum=checksum), data)

    said = result(values, "0" * 16, 3)[0].message
    checksum = re.search("is ([0-9a-f]{16}), not 0{16}", said)[1]
    shuffled = random.sample(values, len(values))
    assert result(shuffled, checksum, 2)[0].passed
    edited = [other, *shuffled[1:]]
    assert result(edited, checksum, 5)[0].passed == (other == shuffled[0])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"checksum": "0" * 16, "group_by": ["kind"]},
        {"checksum": "x"},
        {"mean": {}},
        {"mean": {"min": 2, "max": 1}},
        {"quantiles": {"2": {"min": 1}}},
    ],
)
def test_mistakes(fields):
    with pytest.raises(pydantic.ValidationError):
        rule(**fields)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=9))
def test_numbers_are_those_of_the_whole_column(values):
    table = {"price": pa.array(values, pa.float64())}
    points = [shapely.Point(0, 0)] * len(values)
    never = {"min": 2e9}
    every = rule(mean=never, distinct=never, null_fraction=never, quantiles={"0.3": never})
    _, found = everywhere(every, points, table)
    got = {f[1].split(" of price")[0]: f[3] for f in found}
    real = [v for v in values if v is not None]
    assert got["share of nulls"] == (len(values) - len(real)) / len(values)
    assert got["number of distinct values"] == len(set(real))
    assert got["mean"] == (float(sum(map(Fraction, real)) / len(real)) if real else None)
    assert got["0.3 quantile"] == (float(np.quantile(real, 0.3)) if real else None)


def test_sums_and_deviations():
    every = rule(sum={"min": 110, "max": 110}, std={"min": 12.99, "max": 12.991})
    result, found = told(every)
    assert (result.status, result.checked, found) == (Status.PASSED, 2, [])
    assert [f[1] for f in told(rule(sum={"max": 100}, std={"min": 13}))[1]] == [
        "standard deviation of price is 12.9903810567666, below 13",
        "sum of price is 110, above 100",
    ]
    nothing = {"price": pa.array([None, None], pa.int32())}
    _, found = told(rule(sum={"min": 1}, std={"min": 0}), nothing)
    assert sorted(f[1] for f in found) == [
        "standard deviation of price does not exist: there is no value",
        "sum of price is 0, below 1",
    ]


@given(st.lists(st.floats(-1e300, 1e300) | st.sampled_from([1e-300, 0.1, 7.0]), min_size=1,
                max_size=6))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_deviations_are_those_of_fractions(values):
    data = memory_vector(POINTS[: len(values)], {"price": values}, batch_size=2)
    _, violations = run_rule(rule(std={"min": 1e308}), data)
    exact = [Fraction(v) for v in values]
    mean = sum(exact) / len(exact)
    variance = sum((v - mean) ** 2 for v in exact) / len(exact)
    scale = max((abs(v - mean) for v in exact), default=0)
    expected = float(scale) * math.sqrt(variance / scale**2) if scale else 0.0
    (found,) = violations.measure.tolist() or [expected]
    assert found == pytest.approx(expected, rel=1e-12, abs=float(scale) * 1e-12)

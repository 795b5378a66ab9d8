# ruff: noqa: DTZ001 - times without a zone are what is tested
import datetime as dt
import decimal
import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.metadata import ValueRange
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

UTC = dt.UTC


def judged(values, **bounds):
    column = values if isinstance(values, pa.Array) else pa.array(values)
    points = [shapely.Point(i, 0) for i in range(len(column))]
    return everywhere(ValueRange(column="v", **bounds), points, {"v": column})


def rows(values, **bounds):
    result, violations = judged(values, **bounds)
    assert result.status in {Status.PASSED, Status.FAILED}, result.message
    return [f[0][0] for f in violations]


def test_bounds_are_inside():
    result, violations = judged([0, 5, 10], min=0, max=10)
    assert (result.status, result.checked, violations) == (Status.PASSED, 3, [])


def test_every_value_outside_is_found():
    result, violations = judged([-1.5, 5.0, 12.25, None, math.nan], min=0, max=10)
    assert violations == [
        ((0,), "-1.5 is below 0", "POINT (0 0)", 1.5, -1, -1, -1),
        ((2,), "12.25 is above 10", "POINT (2 0)", 2.25, -1, -1, -1),
        ((4,), "NaN", "POINT (4 0)", None, -1, -1, -1),
    ]
    assert (result.checked, result.violations) == (4, 3)
    assert "1 null in v not judged" in result.message


def test_infinity_is_a_number_beyond_all_bounds():
    assert rows([math.inf, -math.inf, 0.0], max=1) == [0]
    assert rows([math.inf, -math.inf, 0.0], min=1) == [1, 2]
    assert rows([math.inf, -math.inf], min=-math.inf, max=math.inf) == []


def test_large_integers_are_compared_exactly():
    large = 2**53
    assert rows([large, large + 1], max=large) == [1]
    assert rows(pa.array([2**64 - 1, 0], pa.uint64()), max=2**63) == [0]
    assert rows(pa.array([-1, 1], pa.int8()), max=10**30, min=0) == [0]
    assert rows([1, 2, 3], min=1.5, max=2.5) == [0, 2]
    assert rows([1, 2, 3], min=math.inf) == [0, 1, 2]


def test_bounds_of_32_bit_floats_are_32_bit_floats():
    assert rows(pa.array([0.1, 0.2], pa.float32()), max=0.1) == [1]
    assert rows(pa.array(np.array([0.1, 0.2], np.float16)), max=0.1) == [1]
    assert rows(pa.array([1.0], pa.float32()), max=1e300, min=-1e300) == []


def test_decimals():
    values = [decimal.Decimal("0.1"), decimal.Decimal("0.2"), None]
    assert rows(values, max=0.1) == [1]


def test_days():
    values = [dt.date(2019, 12, 31), dt.date(2020, 1, 1), dt.date(2020, 12, 31), None]
    assert rows(values, min="2020-01-01", max="2020-12-31") == [0]
    assert rows(values, min=dt.datetime(2020, 1, 1, 12)) == [0, 1]
    assert rows(values, max=dt.datetime(2020, 1, 1, 12)) == [2]
    assert rows(pa.array(values, pa.date64()), min="2020-01-01") == [0]
    result, violations = judged(values, min="2020-01-03")
    assert [f[1:4] for f in violations][:1] == [
        ("2019-12-31 is below 2020-01-03", "POINT (0 0)", 3.0)
    ]
    assert result.sample[0].unit == "days"


def test_a_day_as_upper_bound_is_meant_to_its_end():
    values = [dt.datetime(2020, 1, 1, 23, 59, 59, 999_999), dt.datetime(2020, 1, 2)]
    for unit in ("us", "ns"):
        assert rows(pa.array(values, pa.timestamp(unit)), max="2020-01-01") == [1]
    assert rows(pa.array([0, 1, 2], pa.timestamp("s")), max="1970-01-01") == []
    assert rows(pa.array([86_399, 86_400], pa.timestamp("s")), max="1970-01-01") == [1]
    assert rows(values, max=dt.datetime(2020, 1, 1)) == [0, 1]


def test_times_without_zone_are_utc():
    zoned = pa.array(
        [dt.datetime(2020, 1, 1, 0, 30, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")
    )
    assert rows(zoned, min=dt.datetime(2020, 1, 1)) == []
    assert rows(zoned, min="2020-01-01T02:00:00+01:00") == [0]
    assert rows([dt.datetime(2020, 1, 1)], max="2020-01-01T00:30:00+01:00") == [0]
    _, violations = judged(zoned, min="2020-01-02")
    assert violations[0][1] == "2020-01-01 00:30:00.000000Z is below 2020-01-02"


def test_times_beyond_the_years_of_python():
    far = pa.array([2**62, -(2**62)], pa.timestamp("us"))
    assert rows(far, min="0001-01-01", max="9999-12-31") == [0, 1]
    assert rows(pa.array([0], pa.timestamp("ns")), min="0001-01-01", max="9999-12-31") == []


@pytest.mark.parametrize(
    ("values", "bounds", "message"),
    [
        (["1", "2"], {"min": 0}, "holds string: value_range judges numbers, dates and times"),
        ([True], {"min": 0}, "holds bool: value_range judges"),
        ([dt.time(1)], {"min": 0}, "holds time64[us]: value_range judges"),
        ([1.0], {"min": "2020-01-01"}, "holds double, the bounds are times"),
        ([dt.date(2020, 1, 1)], {"max": 5}, "holds date32[day], the bounds are numbers"),
    ],
)
def test_columns_that_cannot_be_compared_are_errors(values, bounds, message):
    result, _ = judged(values, **bounds)
    assert result.status is Status.ERROR
    assert message in result.message


def test_nothing_but_nulls_and_nothing_at_all():
    result, _ = judged(pa.nulls(3), min=0)
    assert (result.status, result.checked) == (Status.PASSED, 0)
    assert "3 nulls in v not judged" in result.message
    assert judged(pa.array([], pa.float64()), min=0)[0].passed
    assert judged([None, 5], min=0)[0].checked == 1


NUMBERS = st.one_of(
    st.none(), st.integers(-4, 4).map(float), st.sampled_from([math.nan, math.inf, -math.inf, -0.0])
)
BOUNDS = st.one_of(st.none(), st.integers(-3, 3), st.floats(-3, 3, allow_nan=False, width=16))


@settings(max_examples=50, deadline=None)
@given(st.lists(NUMBERS, max_size=8), BOUNDS, BOUNDS)
def test_numbers_are_compared_one_by_one(values, least, most):
    if least is None and most is None:
        return
    if least is not None and most is not None and least > most:
        least, most = most, least
    expected = [
        i
        for i, v in enumerate(values)
        if v is not None
        and not (
            (least is None or v >= least) and (most is None or v <= most) and not math.isnan(v)
        )
    ]
    assert rows(pa.array(values, pa.float64()), min=least, max=most) == expected


MOMENTS = st.datetimes(dt.datetime(1969, 12, 30), dt.datetime(1970, 1, 3))
LIMITS = st.one_of(
    MOMENTS, MOMENTS.map(lambda m: m.date()), MOMENTS.map(lambda m: m.replace(tzinfo=UTC))
)


def seconds(moment):
    whole = moment if isinstance(moment, dt.datetime) else dt.datetime.combine(moment, dt.time())
    delta = whole.replace(tzinfo=UTC) - dt.datetime(1970, 1, 1, tzinfo=UTC)
    return Fraction(delta // dt.timedelta(microseconds=1), 10**6)


@settings(max_examples=50, deadline=None)
@given(st.lists(MOMENTS, max_size=6), LIMITS, st.sampled_from(["s", "ms", "us", "ns"]))
def test_times_are_compared_one_by_one(values, limit, unit):
    column = pa.array(values, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    held = [Fraction(v, ticks) for v in column.cast(pa.int64()).to_pylist()]
    end = seconds(limit) + (0 if isinstance(limit, dt.datetime) else 86_400)
    later = (lambda v: v > end) if isinstance(limit, dt.datetime) else (lambda v: v >= end)
    assert rows(column, min=limit) == [i for i, v in enumerate(held) if v < seconds(limit)]
    assert rows(column, max=limit) == [i for i, v in enumerate(held) if later(v)]


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"min": 2, "max": 1},
        {"min": "2020-01-02", "max": "2020-01-01"},
        {"min": 1, "max": "2020-01-01"},
        {"min": math.nan},
        {"min": True},
        {"min": "soon"},
        {"max": 10**400},
    ],
)
def test_bounds_that_make_no_sense(bounds):
    with pytest.raises(pydantic.ValidationError):
        ValueRange(column="v", **bounds)


def test_a_time_on_the_last_day_is_no_contradiction():
    rule = ValueRange(column="v", min=dt.datetime(2020, 1, 1, 12), max="2020-01-01")
    assert rule.max == dt.date(2020, 1, 1)

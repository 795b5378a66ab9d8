"""Equal values in columns of different types, against Python's own arithmetic."""

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join.attribute_difference import (
    common_type,
    comparable_keys,
    equal,
    texts,
)
from spatial_pipeline.errors import RuleError

DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12)  # noqa: DTZ001
MIDNIGHT = dt.datetime(2024, 2, 29)  # noqa: DTZ001
NAN = math.nan


def column(values, kind):
    return pa.chunked_array([pa.array(values, kind)])


def same(a, kind_a, b, kind_b, tolerance=0.0):
    one, two = column(a, kind_a), column(b, kind_b)
    found = equal(one, two, tolerance).tolist()
    assert equal(two, one, tolerance).tolist() == found
    return found


@pytest.mark.parametrize(
    ("a", "kind_a", "b", "kind_b", "expected"),
    [
        ([1, None, 3], pa.int64(), [1, None, None], pa.int64(), [True, True, False]),
        ([1, 300], pa.int16(), [1, 300], pa.int64(), [True, True]),
        ([2**63, 1], pa.uint64(), [-1, 1], pa.int64(), [False, True]),
        ([2**53 + 1, 2**53], pa.int64(), [2.0**53, 2.0**53], pa.float64(), [False, True]),
        ([2**64 - 1, 5], pa.uint64(), [2.0**64, 5.5], pa.float64(), [False, False]),
        ([0, 0], pa.int64(), [NAN, math.inf], pa.float64(), [False, False]),
        ([True, False], pa.bool_(), [1, 2], pa.int16(), [True, False]),
        ([NAN, NAN, None], pa.float64(), [NAN, None, None], pa.float64(), [True, False, True]),
        ([0.0, 0.5], pa.float64(), [-0.0, 0.5], pa.float32(), [True, True]),
        ([0.1], pa.float64(), [0.1], pa.float32(), [False]),
        ([1.5], pa.float16(), [1.5], pa.float32(), [True]),
        ([Decimal("1.10")], pa.decimal128(5, 2), [Decimal("1.1")], pa.decimal128(9, 1), [True]),
        ([Decimal("1.10"), None], pa.decimal128(5, 2), [1.1, None], pa.float64(), [True, True]),
        ([Decimal("2.00")], pa.decimal128(5, 2), [2], pa.int32(), [True]),
        (
            [Decimal(10) ** 70],
            pa.decimal256(76, 0),
            [Decimal("0.5")],
            pa.decimal256(76, 70),
            [False],
        ),
        (["a", "", None], pa.string(), ["a", None, None], pa.large_string(), [True, False, True]),
        (["é"], pa.string(), ["e\u0301"], pa.string(), [False]),
        ([b"ab"], pa.binary(2), [b"ab"], pa.large_binary(), [True]),
        ([DAY, DAY], pa.date32(), [MIDNIGHT, NOON], pa.timestamp("ms"), [True, False]),
        ([DAY], pa.date64(), [DAY], pa.date32(), [True]),
        ([dt.datetime(9999, 1, 1)], pa.timestamp("s"), [NOON], pa.timestamp("ns"), [False]),  # noqa: DTZ001
        ([NOON], pa.timestamp("us", "UTC"), [NOON], pa.timestamp("ms", "Europe/Paris"), [True]),
        ([dt.time(1, 2)], pa.time32("s"), [dt.time(1, 2)], pa.time64("ns"), [True]),
        ([dt.timedelta(1)], pa.duration("s"), [dt.timedelta(1)], pa.duration("us"), [True]),
        ([None, None], pa.null(), [None, 3], pa.int64(), [True, False]),
        ([[1, 2], [], None], pa.list_(pa.int32()), [[1, 2], None, None], pa.list_(pa.float64()),
         [True, False, True]),
        ([{"a": 1}, {"a": None}], pa.struct([("a", pa.int32())]),
         [{"a": 1}, {"a": 2}], pa.struct([("a", pa.int64())]), [True, False]),
        ([[("k", 1)], []], pa.map_(pa.string(), pa.int64()),
         [[("k", 2)], []], pa.map_(pa.string(), pa.int64()), [False, True]),
    ],
)  # fmt: skip
def test_values(a, kind_a, b, kind_b, expected):
    assert same(a, kind_a, b, kind_b) == expected


@pytest.mark.parametrize(
    ("kind_a", "kind_b"),
    [
        (pa.string(), pa.int64()),
        (pa.string(), pa.date32()),
        (pa.timestamp("ms"), pa.timestamp("ms", "UTC")),
        (pa.time32("s"), pa.date32()),
        (pa.list_(pa.int64()), pa.string()),
        (pa.list_(pa.int64()), pa.list_(pa.string())),
        (pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int64())])),
    ],
)
def test_types_without_a_common_one(kind_a, kind_b):
    assert common_type(kind_a, kind_b) is None
    assert common_type(kind_b, kind_a) is None
    with pytest.raises(TypeError):
        equal(column([], kind_a), column([], kind_b))


def test_dictionaries_and_several_chunks():
    a = pa.chunked_array(
        [pa.array(["x", "y"]).dictionary_encode(), pa.array(["x"]).dictionary_encode()]
    )
    b = pa.chunked_array([pa.array(["x"]), pa.array(["z", "x"])])
    assert equal(a, b).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("a", "kind_a", "b", "kind_b", "tolerance", "expected"),
    [
        ([1.0, 1.0], pa.float64(), [1.5, 1.6], pa.float64(), 0.5, [True, False]),
        ([NAN, NAN], pa.float64(), [NAN, 1.0], pa.float64(), 9.0, [True, False]),
        ([2**62, 0], pa.int64(), [2**62 + 2, 3], pa.int64(), 2.0, [True, False]),
        ([0, 255], pa.uint8(), [1, 0], pa.uint8(), 1.0, [True, False]),
        ([Decimal("1.00")], pa.decimal128(5, 2), [Decimal("1.10")], pa.decimal128(5, 2), 0.1, None),
        (["a"], pa.string(), ["b"], pa.string(), 9.0, [False]),
        ([math.inf, math.inf], pa.float64(), [math.inf, 0.0], pa.float64(), 9.0, [True, False]),
    ],
)
def test_numbers_within_a_tolerance(a, kind_a, b, kind_b, tolerance, expected):
    if expected is None:
        # 0.1 as a floating point number is a little more than a tenth.
        expected = [Fraction(1, 10) <= Fraction(tolerance)]
    assert same(a, kind_a, b, kind_b, tolerance) == expected


KINDS = {
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53, 2**53 + 1])),
    pa.uint64(): st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([2**63, 2**53 + 1])),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.one_of(
        st.floats(), st.sampled_from([2.0**53, 2.0**63, -(2.0**63), 2.0**64, 0.1, -0.0])
    ),
    pa.bool_(): st.booleans(),
    pa.decimal128(20, 2): st.decimals(-(10**15), 10**15, places=2),
}


def slow(a, b):
    if a is None or b is None:
        return a is b
    if any(isinstance(v, float) and math.isnan(v) for v in (a, b)):
        return all(isinstance(v, float) and math.isnan(v) for v in (a, b))
    if Decimal in (type(a), type(b)) and float in (type(a), type(b)):
        return float(a) == float(b)
    return a == b


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(list(KINDS)), st.sampled_from(list(KINDS)))
def test_numbers_against_python(data, kind_a, kind_b):
    values = st.one_of(KINDS[kind_a], KINDS[kind_b])
    pairs = []
    for a, b in data.draw(st.lists(st.tuples(values, values), max_size=8)):
        for one, two in ((a, a), (a, b), (a, None)):
            try:
                pairs.append((pa.scalar(one, kind_a).as_py(), pa.scalar(two, kind_b).as_py()))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                continue
    one, two = [p[0] for p in pairs], [p[1] for p in pairs]
    assert same(one, kind_a, two, kind_b) == [slow(a, b) for a, b in pairs]


def test_keys_in_one_type():
    a, b = comparable_keys(column([1, 2], pa.int32()), column([1.0, 3.0], pa.float64()), "id")
    assert (a.to_pylist(), b.to_pylist()) == ([1, 2], [1, 3])
    a, b = comparable_keys(column([1, 2], pa.int32()), column([1.0, 2.5], pa.float64()), "id")
    assert (a.to_pylist(), b.to_pylist()) == ([1.0, 2.0], [1.0, 2.5])
    a, b = comparable_keys(column([True], pa.bool_()), column([1], pa.int8()), "id")
    assert a.to_pylist() == b.to_pylist()
    for left, right in (
        (column([2**53 + 1], pa.int64()), column([0.5], pa.float64())),
        (column(["1"], pa.string()), column([1], pa.int64())),
    ):
        with pytest.raises(RuleError, match="needs comparable keys: 'id' is"):
            comparable_keys(left, right, "id")


def test_values_for_a_reader():
    assert texts(column(["x" * 60, None], pa.string())) == ["'" + "x" * 38 + "…", "null"]
    assert texts(column([1.5, NAN], pa.float64())) == ["1.5", "nan"]
    assert texts(column([DAY], pa.date32())) == ["2024-02-29"]
    assert texts(column([b"abc"], pa.binary())) == ["3 bytes"]
    assert len(texts(column([10**17], pa.timestamp("s")))) == 1

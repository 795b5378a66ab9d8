import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.check.join.exact_sum import SCALE, as_float, exact_sum

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, max_size=20))
def test_floats_are_summed_without_rounding(values):
    total = exact_sum(np.array(values, dtype=np.float64))
    assert Fraction(total, 1 << SCALE) == sum(map(Fraction, values))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_of_64_bits(values):
    assert exact_sum(np.array(values, dtype=np.int64)) == sum(values) << SCALE


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_unsigned_integers(values):
    assert exact_sum(np.array(values, dtype=np.uint64)) == sum(values) << SCALE


def test_rounded_once():
    assert as_float(exact_sum(np.array([0.1] * 10)), 10) == 0.1
    assert as_float(exact_sum(np.array([1e308, 1e308]))) == math.inf
    assert as_float(exact_sum(np.array([-1e308, -1e308]))) == -math.inf

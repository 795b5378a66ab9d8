import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.raster.pixel_difference import distance

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@st.composite
def integer(draw):
    limits = np.iinfo(draw(st.sampled_from(INTEGERS)))
    edges = st.sampled_from([limits.min, limits.min + 1, limits.max - 1, limits.max])
    return np.array([draw(st.integers(int(limits.min), int(limits.max)) | edges)], limits.dtype)


@given(integer(), integer())
@settings(max_examples=200, deadline=None)
def test_integers_of_any_types_are_compared_without_loss(a, b):
    exact = abs(int(a[0]) - int(b[0]))
    assert distance(a, b)[0] == float(exact)
    assert (distance(a, b)[0] == 0) == (exact == 0)


def test_neighbouring_integers_of_64_bits_differ():
    top = np.array([2**63 - 1])
    assert distance(top, top - 1).tolist() == [1]
    assert distance(top, top.astype(np.uint64) + np.uint64(1)).tolist() == [1]
    assert distance(np.array([-(2**63)]), np.array([2**64 - 1], np.uint64)).tolist() == [
        1.5 * 2**64
    ]


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
@settings(max_examples=60, deadline=None)
def test_floats(a, b):
    expected = 0.0 if a == b else abs(a - b)
    assert distance(np.array([a]), np.array([b]))[0] == expected


def test_infinities():
    values = np.array([math.inf, -math.inf, math.inf, 1.0])
    others = np.array([math.inf, -math.inf, -math.inf, math.inf])
    assert distance(values, others).tolist() == [0, 0, math.inf, math.inf]
    twisted = np.array([complex(math.inf, 1)]), np.array([complex(math.inf, 2)])
    assert distance(*twisted).tolist() == [math.inf]


def test_complex_pixels():
    assert distance(np.array([3 + 4j]), np.array([0], np.uint8)).tolist() == [5]

"""Rules and random rasters for the tests of comparisons by pixel."""

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.contract.rules import OtherSource
from spatial_pipeline.contract.rules.parity import BandsMatch, SamePixelsAs

OTHER = OtherSource(uri="other.tif")


def same(**fields):
    return SamePixelsAs(other=OTHER, **fields)


def bands(*uris, **fields):
    return BandsMatch(others=uris or ("red.tif",), **fields)


dtypes = st.sampled_from(
    ["int8", "uint8", "int16", "uint32", "int64", "uint64", "float32", "float64"]
)


@st.composite
def rasters(draw):
    """Two arrays of one shape and of any types, mostly equal, with gaps."""
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))
    shape = (min(shape[0], 2), *shape[1:])
    base = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 3)))
    change = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([0, 0, 0, 1, 2, 100])))
    first, second = base.astype(draw(dtypes)), (base + change).astype(draw(dtypes))
    for array in (first, second):
        if array.dtype.kind == "f":
            array[draw(hnp.arrays(bool, shape))] += 0.5
            array[draw(hnp.arrays(bool, shape, elements=st.sampled_from([False] * 9 + [True])))] = (
                math.nan
            )
    gaps = st.sampled_from([True] * 5 + [False])
    return (
        (first, draw(hnp.arrays(bool, shape, elements=gaps))),
        (second, draw(hnp.arrays(bool, shape, elements=gaps))),
    )

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spatial_pipeline.check.geometry.marked_cells import MarkedCells


@settings(max_examples=100, deadline=None)
@given(
    arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    st.integers(0, 2**32 - 1),
)
def test_any_cell_of_a_rectangle(marked, seed):
    random = np.random.default_rng(seed)
    corners = [np.sort(random.integers(0, n, (40, 2)), axis=1) for n in marked.shape]
    (x0, x1), (y0, y1) = (c.T for c in corners)
    told = MarkedCells(marked).any((x0, y0), (x1, y1))
    for i in range(40):
        assert told[i] == marked[x0[i] : x1[i] + 1, y0[i] : y1[i] + 1].any()

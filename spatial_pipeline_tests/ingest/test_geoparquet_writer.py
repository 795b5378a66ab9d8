"""Where row groups are cut: within bounds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.ingest import geoparquet_writer

ROWS, BYTES = 8, 100


@given(st.lists(st.integers(0, 150), max_size=80))
def test_groups_keep_to_their_bounds(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geoparquet_writer, "ROW_GROUP_ROWS", ROWS)
        patch.setattr(geoparquet_writer, "ROW_GROUP_BYTES", BYTES)
        found = geoparquet_writer.row_group_starts(np.array(sizes, np.int64))
    assert found[0] == 0
    assert found[-1] == len(sizes)
    for begin, end in pairwise(found.tolist()):
        group = sizes[begin:end]
        assert 1 <= len(group) <= ROWS
        assert sum(group) <= BYTES or len(group) == 1
        # As large as the bounds allow.
        if end < len(sizes):
            longer = sizes[begin : end + 1]
            assert len(longer) > ROWS or sum(longer) > BYTES

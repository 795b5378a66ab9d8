from __future__ import annotations

import numpy as np
import pytest

from spatial_pipeline.check.coverage.segment_conflicts import clashes, spans
from spatial_pipeline.check.geometry.boxes import Boxes


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ((0, 0, 2, 0), (2, 0, 3, 1), False),
        ((0, 0, 2, 0), (2, 0, 3, 0), False),
        ((0, 0, 2, 0), (0, 0, 0, 2), False),
        ((0, 0, 2, 0), (0, 1, 2, 1), False),
        ((0, 0, 2, 0), (0, 0, 2, 1e-9), False),
        ((0, 0, 2, 2), (0, 2, 2, 0), True),
        ((0, 0, 2, 0), (1, 0, 1, 2), True),
        ((0, 0, 2, 0), (0, 0, 1, 0), True),
        ((0, 0, 2, 0), (2, 0, 1, 0), True),
        ((0, 0, 2, 0), (1, 0, 3, 0), True),
        ((0, 0, 2, 0), (0, 1e-12, 2, 1e-12), True),
        ((0, 0, 2, 0), (0, 0, 2, 1e-12), True),
        ((0, 0, 2, 0), (1, 1e-12, 1, 2), True),
        ((0, 0, 2, 0), (5, 5, 5, 5 + 1e-12), True),
    ],
)
def test_segments_clash_unless_they_surely_meet_in_one_end_at_most(one, other, clash):
    edges = np.array([one, other], dtype=float)
    for turned in (edges, edges[:, [2, 3, 0, 1]], edges[::-1], edges[:, [1, 0, 3, 2]]):
        found = clashes(turned, Boxes(spans(turned, 1e-11)), slice(0, 2), 1e-11)[2]
        assert bool(len(found)) == clash

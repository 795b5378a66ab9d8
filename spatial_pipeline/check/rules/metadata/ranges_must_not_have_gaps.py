"""ranges_must_not_have_gaps: ranges of a group leave nothing out."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.range_rule import RangeCheck, RangePairs
from spatial_pipeline.check.join.ranges import Ranges
from spatial_pipeline.contract.rules.ranges import RangesMustNotHaveGaps


@evaluates(RangesMustNotHaveGaps)
class RangesMustNotHaveGapsCheck(RangeCheck[RangesMustNotHaveGaps]):
    """Every gap longer than the tolerance, with the ranges before and after it."""

    def pairs(self, ranges: Ranges, *, whole: bool) -> RangePairs:
        """Neighbours with something between them."""
        before, after = ranges.gaps()
        end, begin = ranges.end[before], ranges.begin[after]
        counted = whole and self.rule.closed == "both"
        step = (2 if self.rule.parity else 1) if counted else 0
        length = begin - end - step
        large = np.flatnonzero(length > self.rule.tolerance)
        reasons = [
            f"nothing between {a:.15g} and {b:.15g}"
            for a, b in zip(end[large], begin[large], strict=True)
        ]
        return RangePairs(before[large], after[large], reasons, length[large], len(large))

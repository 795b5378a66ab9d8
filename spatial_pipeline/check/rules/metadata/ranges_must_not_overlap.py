"""ranges_must_not_overlap: ranges of a group share nothing."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.range_rule import MOST, RangeCheck, RangePairs
from spatial_pipeline.check.join.ranges import Ranges
from spatial_pipeline.contract.rules.ranges import RangesMustNotOverlap


@evaluates(RangesMustNotOverlap)
class RangesMustNotOverlapCheck(RangeCheck[RangesMustNotOverlap]):
    """Every pair of ranges that share more than the tolerance, with what they share."""

    def pairs(self, ranges: Ranges, *, whole: bool) -> RangePairs:
        """Pairs that share something; a shared end counts as one where numbers are whole."""
        both = self.rule.closed == "both"
        first, second, total = ranges.overlaps(touching=both, most=MOST)
        end = np.minimum(ranges.end[first], ranges.end[second])
        begin = ranges.begin[second]
        shared = end - begin + (both and whole)
        # Half-open ranges without a length hold nothing; closed ones hold their end.
        large = shared > self.rule.tolerance
        if both and not self.rule.tolerance:
            large |= shared == 0
        dropped = len(first) - int(large.sum())
        reasons = [
            f"both have {a:.15g} to {b:.15g}" for a, b in zip(begin[large], end[large], strict=True)
        ]
        return RangePairs(first[large], second[large], reasons, shared[large], total - dropped)

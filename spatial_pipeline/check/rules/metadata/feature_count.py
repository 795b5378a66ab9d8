"""feature_count: the number of features lies within bounds."""

from __future__ import annotations

from collections.abc import Sequence

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.contract.rules.metadata import FeatureCount
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome


@evaluates(FeatureCount)
class FeatureCountCheck(BatchCheck[FeatureCount]):
    """Counts features."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> int:
        """Features of this batch."""
        return len(batch)

    def reduce(self, partials: Sequence[int]) -> RuleOutcome:
        """Compares the sum with the bounds; ``threshold`` is the nearer or the broken one."""
        count = sum(partials)
        least, most = self.rule.min, self.rule.max
        too_few = least is not None and count < least
        too_many = most is not None and count > most
        bounds = [b for b in (least, most) if b is not None]
        threshold = (
            least if too_few else most if too_many else min(bounds, key=lambda b: abs(b - count))
        )
        wanted = (
            f"at least {least}" if most is None
            else f"at most {most}" if least is None
            else f"exactly {least}" if least == most
            else f"{least} to {most}"
        )  # fmt: skip
        return RuleOutcome(
            checked=count,
            count=int(too_few or too_many),
            passed=not (too_few or too_many),
            value=count,
            threshold=threshold,
            message=f"{count} feature{'' if count == 1 else 's'}, expected {wanted}",
        )

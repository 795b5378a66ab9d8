"""feature_count: the number of features lies within bounds."""

from __future__ import annotations

from collections.abc import Sequence

from spatial_pipeline.check.api import Context, FeatureBatch, RuleOutcome, batch_rule
from spatial_pipeline.contract.rules.metadata import FeatureCount


def conclude(rule: FeatureCount, context: Context, counts: Sequence[int]) -> RuleOutcome:
    """Compares the sum with the bounds; ``threshold`` is the nearer or the broken one."""
    count, least, most = sum(counts), rule.min, rule.max
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


@batch_rule(conclude, geometry=False)
def evaluate(rule: FeatureCount, batch: FeatureBatch, context: Context) -> int:
    """Features of this batch."""
    return len(batch)

"""relation: features are, or are not, in a relation to others."""

from __future__ import annotations

from spatial_pipeline.check.api import (
    Geometries,
    Overlay,
    Violations,
    forbidden,
    out_of_count,
    overlay_rule,
)
from spatial_pipeline.contract.rules.overlay import RelationRule


@overlay_rule(judges=Geometries, against=Geometries)
def evaluate(rule: RelationRule, overlay: Overlay) -> Violations:
    """Features with too few or too many related ones, or each pair with its intersection."""
    if rule.must == "not_exist":
        return forbidden(overlay, rule.predicate, f"related: {rule.predicate}", rule.tolerance)
    least = 1 if rule.min is None and rule.max is None else rule.min
    few, many = "too few related features", "too many related features"
    return out_of_count(overlay, rule.predicate, least, rule.max, few, many)

"""declared_bounds: the bounds that the file declares are those of its data."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import RuleOutcome, Violations, profile_rule
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit
from spatial_pipeline.contract.rules.metadata import DeclaredBounds
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile

SIDES = ("xmin", "ymin", "xmax", "ymax")


@profile_rule
def evaluate(rule: DeclaredBounds, profile: VectorProfile) -> RuleOutcome:
    """Sides that are declared elsewhere, each with its distance.

    Raises:
        RuleError: the file declares no bounds.

    """
    declared, found = profile.declared_bounds, profile.bounds
    if found is None:
        return RuleOutcome(checked=0, notes=("no feature has finite coordinates",))
    if declared is None:
        msg = "the source declares no bounds: leave the rule out for formats without them"
        raise RuleError(msg)
    off = np.abs(np.subtract(declared, found))
    # A bound that is declared as NaN is no bound.
    bad = np.flatnonzero(~(off <= rule.tolerance))
    reasons = [
        f"{SIDES[i]} is declared as {declared[i]:.15g}, that of the data is {found[i]:.15g}"
        for i in bad
    ]
    degrees = in_degrees(profile.pyproj_crs) and rule.tolerance > 0
    return RuleOutcome(
        checked=len(SIDES),
        violations=Violations.build(
            np.full(len(bad), -1), reasons, measure=off[bad], unit=length_unit(profile.pyproj_crs)
        ),
        message="; ".join(reasons),
        notes=("the tolerance is in degrees",) if degrees else (),
    )

"""Note on parameters that are lengths or areas of a dataset in degrees."""

from __future__ import annotations

from dataclasses import replace

from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.base import MEASURES
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome


def with_degrees(outcome: RuleOutcome, rule: Rule, profile: Profile) -> RuleOutcome:
    """The outcome with a note that names the lengths and areas of the rule that are angles."""
    degrees = in_degrees(getattr(profile, "pyproj_crs", None))
    if not degrees or not measures(rule) or getattr(rule, "metres", False):
        return outcome
    return replace(outcome, notes=(*outcome.notes, f"{', '.join(measures(rule))} in degrees"))


def measures(rule: Rule) -> list[str]:
    """Names of the parameters that are lengths or areas and that are set."""
    return [
        name
        for name, info in type(rule).model_fields.items()
        if any(m in MEASURES for m in info.metadata if isinstance(m, str))
        and getattr(rule, name) not in (None, 0, 0.0)
    ]

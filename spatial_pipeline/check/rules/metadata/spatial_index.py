"""spatial_index: the file has a spatial index that is true of its features."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, Violations, profile_rule
from spatial_pipeline.contract.rules.formats import SpatialIndex
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile


@profile_rule
def evaluate(rule: SpatialIndex, profile: VectorProfile) -> RuleOutcome:
    """One violation for each thing that is wrong with the index.

    Raises:
        RuleError: files of this format have no index.

    """
    evidence = profile.spatial_index
    if evidence is None:
        of = f"{profile.driver} files" if profile.driver else "a table here"
        msg = f"no spatial index is known of {of}: leave the rule out"
        raise RuleError(msg)
    reasons = [finding.reason for finding in evidence.findings]
    checked = sum(map(len, evidence.codes.values()))
    return RuleOutcome(
        checked=checked,
        violations=Violations.build([-1] * len(reasons), reasons),
        message="; ".join(reasons[:5]) or f"the index of the {evidence.format} file is sound",
    )

"""format_conformance: the file obeys the specification of its format."""

from __future__ import annotations

from spatial_pipeline.check.api import RuleOutcome, Violations, profile_rule
from spatial_pipeline.contract.rules.formats import FormatConformance
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.conformance import FormatEvidence, FormatFinding
from spatial_pipeline.model.profile import Profile

EXTRA = frozenset({"PDOK", "COG"})
"""Sets of requirements that count only where a contract asks for them."""


@profile_rule
def evaluate(rule: FormatConformance, profile: Profile) -> RuleOutcome:
    """One violation per finding, with the code of its requirement."""
    evidence = profile.conformance
    if evidence is None:
        raise RuleError(_unjudged(profile))
    missing = sorted(set(rule.also) - set(evidence.codes))
    if missing:
        msg = f"{', '.join(missing)} makes no requirements of a {evidence.format} file"
        raise RuleError(msg)
    asked = (set(evidence.codes) - EXTRA) | set(rule.also)
    codes = [c for name in evidence.codes if name in asked for c in evidence.codes[name]]
    judged = [c for c in codes if c not in rule.accept]
    found = [f for f in evidence.findings if f.standard in asked and f.code not in rule.accept]
    wrong = [f for f in found if rule.recommendations or not f.recommended]
    advised = [f for f in found if f not in wrong]
    unknown = sorted(set(rule.accept) - set(codes))
    return RuleOutcome(
        checked=len(judged),
        violations=Violations.build([-1] * len(wrong), [_text(f) for f in wrong]),
        message=_message(evidence, asked, wrong, len(judged)),
        notes=(
            *(f"recommended: {_text(f)}" for f in advised),
            *((f"accept: no requirement {', '.join(unknown)} was judged",) if unknown else ()),
            *(("the source cannot be read to its end",) if profile.error is not None else ()),
        ),
    )


def _text(finding: FormatFinding) -> str:
    return f"{finding.code}: {finding.reason}"


def _message(
    evidence: FormatEvidence, asked: set[str], wrong: list[FormatFinding], judged: int
) -> str:
    if not wrong:
        standards = [name for name in evidence.codes if name in asked]
        return f"{judged} requirements of {' and '.join(standards)} are met"
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"{evidence.format}: {_text(wrong[0])}{more}"


def _unjudged(profile: Profile) -> str:
    if profile.error is not None:
        return "needs a readable source"
    if not profile.driver:
        return "needs a file: a table has no format"
    return f"no requirements are known of {profile.driver} files: leave the rule out"

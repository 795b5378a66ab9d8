"""crs: the CRS is present and behaves as promised."""

from __future__ import annotations

import pyproj

from spatial_pipeline.check.api import RuleOutcome, Violations, profile_rule
from spatial_pipeline.check.crs.area_of_use import swapped
from spatial_pipeline.contract.rules.metadata import Crs
from spatial_pipeline.model.crs.comparison import CrsComparison, compare, label
from spatial_pipeline.model.profile import Profile


@profile_rule
def evaluate(rule: Crs, profile: Profile) -> RuleOutcome:
    """Compares the declared CRS with the accepted ones, by behaviour and not by code.

    A missing CRS fails; no default is assumed. Data whose extent makes sense only with x and y
    swapped fails too, whatever CRS it declares.
    """
    accepted = (rule.equals,) if rule.equals is not None else rule.any_of or ()
    expected = [pyproj.CRS.from_user_input(text) for text in accepted]
    names = " or ".join(label(crs) for crs in expected)
    if profile.crs is None:
        return _failed(f"no CRS is declared (none is assumed), expected {names}")
    actual = profile.pyproj_crs
    if actual is None:
        told = " ".join(profile.crs.split())
        short = told if len(told) <= 80 else f"{told[:80]}…"
        return _failed(f"the declared CRS is not understood ({short}), expected {names}")
    comparisons = [compare(actual, crs) for crs in expected]
    mistakes = []
    same = next((c for c in comparisons if not c.differences), None)
    if same is None:
        mistakes.append(_difference(actual, expected, comparisons))
    turned = None if profile.bounds is None else swapped(actual, profile.bounds)
    if turned is not None:
        mistakes.append(f"the axis order of the coordinates is wrong: {turned}")
    if mistakes:
        return _failed("; ".join(mistakes))
    assert same is not None
    return RuleOutcome(
        checked=1, passed=True, message=f"the CRS is {label(actual)}", notes=same.notes
    )


def _difference(
    actual: pyproj.CRS, expected: list[pyproj.CRS], comparisons: list[CrsComparison]
) -> str:
    wanted = "; or ".join(
        f"{label(crs)}: {', '.join(c.differences)}"
        for crs, c in zip(expected, comparisons, strict=True)
    )
    return f"the CRS is {label(actual)}, expected {wanted}"


def _failed(reason: str) -> RuleOutcome:
    return RuleOutcome(
        checked=1, violations=Violations.build([-1], reason), passed=False, value=1, message=reason
    )

"""Findings of several dimensions as one list, and what they measure in words."""

from __future__ import annotations

import dataclasses

import numpy as np

from spatial_pipeline.results import Findings


def joined(areas: Findings, lines: Findings, points: Findings | None = None) -> Findings:
    """All findings in one; the unit says which is which where areas and lines meet."""
    whole = Findings.concat([areas, lines, Findings.none() if points is None else points])
    if len(areas) and len(lines) and areas.unit:
        return dataclasses.replace(whole, unit=f"{areas.unit} (lines: {lines.unit})")
    return whole


def summary(findings: Findings, noun: str, superlative: str = "largest") -> str:
    """How many there are and how large the largest is; empty for none.

    Args:
        findings: of one dimension.
        noun: what one of them is; an "s" makes it plural.
        superlative: word for the largest.

    """
    n = len(findings)
    if not n:
        return ""
    count = f"{n} {noun}{'s'[: n - 1]}"
    if np.isnan(findings.measure).all():
        return count
    return f"{count}, {superlative} {np.nanmax(findings.measure):.6g} {findings.unit}".strip()

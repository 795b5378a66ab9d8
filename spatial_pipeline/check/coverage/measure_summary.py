"""Findings of several dimensions as one list, and what they measure in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spatial_pipeline.model.violations import Violations


@dataclass(frozen=True)
class MeasureSummary:
    """What is said of findings of one dimension, wherever they are.

    Attributes:
        count: how many there are.
        largest: the largest measure; NaN when none has one.
        unit: of the measure.

    """

    count: int = 0
    largest: float = np.nan
    unit: str = ""

    @classmethod
    def of(cls, findings: Violations) -> MeasureSummary:
        """The tally of findings in memory."""
        measure = findings.measure
        largest = np.nan if np.isnan(measure).all() else float(np.nanmax(measure))
        return cls(len(findings), largest, findings.unit)

    @classmethod
    def sum(cls, parts: Iterable[MeasureSummary]) -> MeasureSummary:
        """All parts in one."""
        whole = cls()
        for part in parts:
            whole += part
        return whole

    def __add__(self, other: MeasureSummary) -> MeasureSummary:
        """Both in one."""
        largest = float(np.fmax(self.largest, other.largest))
        return MeasureSummary(self.count + other.count, largest, self.unit or other.unit)


NOTHING = MeasureSummary()


def joined(areas: Violations, lines: Violations, points: Violations | None = None) -> Violations:
    """All findings in one; the unit says which is which where areas and lines meet."""
    whole = Violations.concat([areas, lines, Violations.none() if points is None else points])
    unit = common_unit(MeasureSummary.of(areas), MeasureSummary.of(lines))
    return dataclasses.replace(whole, unit=unit) if unit else whole


def common_unit(areas: MeasureSummary, lines: MeasureSummary) -> str:
    """The unit of areas and lines together; empty where it is that of each."""
    if areas.count and lines.count and areas.unit:
        return f"{areas.unit} (lines: {lines.unit})"
    return ""


def summary(told: MeasureSummary, noun: str, superlative: str = "largest") -> str:
    """How many there are and how large the largest is; empty for none.

    Args:
        told: of findings of one dimension.
        noun: what one of them is; an "s" makes it plural.
        superlative: word for the largest.

    """
    if not told.count:
        return ""
    count = f"{told.count} {noun}{'s'[: told.count - 1]}"
    if np.isnan(told.largest):
        return count
    return f"{count}, {superlative} {told.largest:.6g} {told.unit}".strip()

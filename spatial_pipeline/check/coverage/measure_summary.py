"""Joins violations of several dimensions, and summarises their measures in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spatial_pipeline.model.violations import Violations


@dataclass(frozen=True)
class MeasureSummary:
    """Summary of the violations of one dimension, in memory or in files.

    Attributes:
        count: number of violations.
        largest: the largest measure; NaN when none has one.
        unit: of the measure.

    """

    count: int = 0
    largest: float = np.nan
    unit: str = ""

    @classmethod
    def of(cls, violations: Violations) -> MeasureSummary:
        """The summary of violations in memory."""
        measure = violations.measure
        largest = np.nan if np.isnan(measure).all() else float(np.nanmax(measure))
        return cls(len(violations), largest, violations.unit)

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
    """All violations in one; the unit tells areas from lengths where both occur."""
    whole = Violations.concat([areas, lines, Violations.none() if points is None else points])
    unit = common_unit(MeasureSummary.of(areas), MeasureSummary.of(lines))
    return dataclasses.replace(whole, unit=unit) if unit else whole


def common_unit(areas: MeasureSummary, lines: MeasureSummary) -> str:
    """The unit of areas and lines together; empty when each has its own."""
    if areas.count and lines.count and areas.unit:
        return f"{areas.unit} (lines: {lines.unit})"
    return ""


def summary(told: MeasureSummary, noun: str, superlative: str = "largest") -> str:
    """Their number and the largest measure, in words; empty for none.

    Args:
        told: summary of the violations of one dimension.
        noun: noun for one of them; an "s" makes it plural.
        superlative: word for the largest.

    """
    if not told.count:
        return ""
    count = f"{told.count} {noun}{'s'[: told.count - 1]}"
    if np.isnan(told.largest):
        return count
    return f"{count}, {superlative} {told.largest:.6g} {told.unit}".strip()

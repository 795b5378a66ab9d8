"""Rules that hold for exactly this delivery: counts, sums and checksums.

Their values are what the rules themselves measure: each is evaluated with a bound that nothing
meets, and the violation says the value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spatial_pipeline.pipeline.column_summary import ColumnSummary
from spatial_pipeline.pipeline.geometry_summary import GeometrySummary
from spatial_pipeline.pipeline.rule_candidates import Parameters

NEVER = 1.7e308
"""No number of a dataset is as large."""
ROUNDING = 1e-13
"""Share of a sum of measures that another processor may round differently."""


@dataclass(frozen=True)
class ExactProbe:
    """A rule that is evaluated for its measured values.

    Attributes:
        asked: the rule with a bound that fails.
        parameters: the rule without the bounds.
        bounds: parameter that each measured value, in the order of the violations, is a bound of.
        label: name of the rule where several have one id.
        tolerance: share of the value that is accepted as rounding.
        digits: digits after the point that a single value of the column may need, None when sums
            are compared with a tolerance.

    """

    asked: Parameters
    parameters: Parameters
    bounds: tuple[str, ...]
    label: str
    tolerance: float = 0.0
    digits: int | None = None

    def rule(self, measured: Sequence[float]) -> Parameters | None:
        """The rule with the values as bounds; None when it cannot tell single changes."""
        if len(measured) != len(self.bounds) or not all(map(math.isfinite, measured)):
            return None
        rule = dict(self.parameters)
        for name, value in zip(self.bounds, measured, strict=True):
            if self.digits is not None and np.spacing(abs(value)) > 0.5 * 10.0**-self.digits:
                return None
            rule[name] = value if name == "equals" else [value, value]
            if name == "equals" and self.tolerance and value:
                rule["tolerance"] = float(f"{abs(value) * self.tolerance:.1g}")
        return rule


def column_probes(columns: Sequence[ColumnSummary], keys: Sequence[str]) -> Iterator[ExactProbe]:
    """Sums of the columns of numbers."""
    for column in columns:
        if not summed(column, keys):
            continue
        about = {"rule": "group_aggregate", "aggregate": "sum", "column": column.name}
        digits = 0 if column.kind == "integer" else column.fraction
        yield ExactProbe(
            {**about, "min": NEVER}, about, ("equals",), f"sum_of_{column.name}", digits=digits
        )


def summed(column: ColumnSummary, keys: Sequence[str]) -> bool:
    """True for numbers of which a sum makes sense."""
    numbers = column.kind in ("integer", "number") and column.least is not None
    return numbers and not column.odd and column.name not in keys


def geometry_probes(summary: GeometrySummary) -> Iterator[ExactProbe]:
    """Sums of measures of the geometries."""
    if not summary.types:
        return
    measured = ["vertices", "x", "y"]
    measured += ["area"] if "Polygon" in summary.single else []
    measured += ["length"] if {"Polygon", "LineString"} & set(summary.single) else []
    measured += ["z"] if summary.three_dimensional else []
    stored = summary.single == ["Point"]
    for measure in measured:
        about = {"rule": "group_aggregate", "aggregate": "sum", "measure": measure}
        tolerance = 0.0 if stored or measure == "vertices" else ROUNDING
        yield ExactProbe(
            {**about, "min": NEVER}, about, ("equals",), f"sum_of_{measure}", tolerance
        )


def band_probes(count: int) -> Iterator[ExactProbe]:
    """Mean and standard deviation of the pixels of each band."""
    for band in range(1, count + 1):
        about: dict[str, Any] = {"rule": "statistics"} | ({} if count == 1 else {"band": band})
        never = {"mean": [NEVER, None], "std": [NEVER, None]}
        yield ExactProbe({**about, **never}, about, ("mean", "std"), f"pixels_of_band_{band}")


def feature_count(count: int) -> tuple[Parameters, str]:
    """The number of features."""
    return {"rule": "feature_count", "min": count, "max": count}, "features_today"


def null_shares(columns: Sequence[ColumnSummary]) -> Iterator[tuple[Parameters, str]]:
    """Shares of nulls of columns with some."""
    for column in columns:
        if column.nulls:
            share = column.nulls / column.rows
            about = {"column": column.name, "null_fraction": {"min": share, "max": share}}
            yield {"rule": "column_statistics", **about}, f"nulls_of_{column.name}"


def checksum(column: ColumnSummary) -> tuple[Parameters, str]:
    """The values of a column that has no sum."""
    about = {"column": column.name, "checksum": column.checksum_text}
    return {"rule": "column_statistics", **about}, f"values_of_{column.name}"


__all__ = [
    "ExactProbe",
    "band_probes",
    "checksum",
    "column_probes",
    "feature_count",
    "geometry_probes",
    "null_shares",
    "summed",
]

"""monotonic_measure: M never turns back."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import MeasuredLines, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import MonotonicMeasure


@feature_rule(judges=MeasuredLines, deep=True)
def evaluate(rule: MonotonicMeasure, features: MeasuredLines) -> Violations:
    """Segments along which M turns back or is no number, each with the change of M."""
    vertices = features.vertices
    start, m = vertices.steps, vertices.xyzm[:, 3]
    with np.errstate(invalid="ignore"):
        change = m[start + 1] - m[start]
    good = change >= 0 if rule.direction == "increasing" else change <= 0
    bad = np.flatnonzero(~good)
    start = start[bad]
    return features.violations(
        vertices.feature[start],
        np.where(np.isnan(change), "M is not a number", "M turns back")[bad].tolist(),
        geometry=vertices.segments(start),
        measure=change[bad],
        **vertices.place(start),
    )

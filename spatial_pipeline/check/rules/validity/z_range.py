"""z_range: elevations and their steps lie within bounds."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Violations, WithZ, feature_rule
from spatial_pipeline.contract.rules.vertices import ZRange


@feature_rule(judges=WithZ, deep=True)
def evaluate(rule: ZRange, features: WithZ) -> Violations:
    """Vertices with another Z, and segments along which Z changes too much."""
    vertices = features.vertices
    z, found = vertices.xyzm[:, 2], [Violations.none()]
    bad = {f"Z below {rule.min}": z < (-np.inf if rule.min is None else rule.min)}
    bad[f"Z above {rule.max}"] = z > (np.inf if rule.max is None else rule.max)
    bad["Z is not a number"] = ~np.isfinite(z)
    for reason, where in bad.items():
        # The last vertex of a ring is its first one again.
        at = np.flatnonzero(where & ~vertices.closing)
        found.append(
            features.violations(
                vertices.feature[at],
                reason,
                geometry=vertices.points(at),
                measure=z[at],
                **vertices.place(at),
            )
        )
    if rule.max_step is not None:
        start = vertices.steps
        step = np.abs(z[start + 1] - z[start])
        steep = np.flatnonzero(step > rule.max_step)
        start = start[steep]
        found.append(
            features.violations(
                vertices.feature[start],
                f"step in Z above {rule.max_step}",
                geometry=vertices.segments(start),
                measure=step[steep],
                **vertices.place(start),
            )
        )
    return Violations.concat(found)

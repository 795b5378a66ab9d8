"""coordinate_precision: coordinates lie on a grid, or have few decimals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.contract.rules.vertices import CoordinatePrecision


@feature_rule(judges=Geometries)
def evaluate(rule: CoordinatePrecision, features: Geometries) -> Violations:
    """Vertices off the grid or with more decimals, each with its distance from the grid."""
    vertices = features.vertices
    unit = features.length_unit
    found = [Violations.none()]
    for reason, off in _offsets(rule, vertices.xy, unit):
        # The last vertex of a ring is its first one again.
        at = np.flatnonzero((off > 0).any(axis=1) & ~vertices.closing)
        found.append(
            features.violations(
                vertices.feature[at],
                reason,
                geometry=vertices.points(at),
                measure=off[at].max(axis=1),
                unit=unit,
                **vertices.place(at),
            )
        )
    return Violations.concat(found)


def _offsets(
    rule: CoordinatePrecision, xy: NDArray[np.float64], unit: str
) -> list[tuple[str, NDArray[np.float64]]]:
    """Reasons, each with (m, 2) distances to the permitted coordinates; 0 where they are met."""
    found = []
    if rule.grid is not None:
        off = np.abs(xy - np.rint(xy / rule.grid) * rule.grid)
        # A multiple of the grid is itself rounded, to the nearest number that can be stored.
        off[off <= 2 * np.spacing(np.abs(xy))] = 0.0
        found.append((f"off the grid of {rule.grid:.15g}{f' {unit}' if unit else ''}", off))
    if rule.max_decimals is not None:
        off = np.abs(xy - np.round(xy, rule.max_decimals))
        # Numbers that lie farther apart than the last decimal have no more of them.
        off[np.spacing(np.abs(xy)) >= 10.0**-rule.max_decimals] = 0.0
        found.append((f"more than {rule.max_decimals} decimals", off))
    return found

"""dimensions: geometries have Z and M as promised."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.contract.rules.metadata import Dimensions

NAMES = np.array(["XY", "XYZ", "XYM", "XYZM"], dtype=object)


@feature_rule(judges=Geometries, deep=True)
def evaluate(rule: Dimensions, features: Geometries) -> Violations:
    """Geometries of other dimensions, and those with a Z or M that is 0 everywhere."""
    geometry, found = features.geometry, [Violations.none()]
    having = np.stack([shapely.has_z(geometry), shapely.has_m(geometry)])
    if rule.any_of is not None:
        names = NAMES[having[0] + 2 * having[1]]
        bad = np.flatnonzero(~np.isin(names, rule.any_of))
        told = [f"{name}, expected {' or '.join(rule.any_of)}" for name in names[bad]]
        found.append(features.violations(bad, told, geometry=geometry[bad]))
    if rule.not_constant_zero:
        vertices = features.vertices
        for axis, letter in enumerate("ZM"):
            other = np.bincount(vertices.feature, vertices.xyzm[:, 2 + axis] != 0, len(features))
            bad = np.flatnonzero(having[axis] & (other == 0))
            zero = f"{letter} is 0 at every vertex"
            found.append(features.violations(bad, zero, geometry=geometry[bad]))
    return Violations.concat(found)

"""no_unneeded_multi: no multi-geometry of one part."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.check.geometry.parts import FIRST_MULTI
from spatial_pipeline.contract.rules.vertices import NoUnneededMulti


@feature_rule(judges=Geometries)
def evaluate(rule: NoUnneededMulti, features: Geometries) -> Violations:
    """Multi-geometries and collections of one part."""
    multi = shapely.get_type_id(features.geometry) >= FIRST_MULTI
    found = np.flatnonzero(multi & (shapely.get_num_geometries(features.geometry) == 1))
    geometry = features.geometry[found]
    return features.violations(
        found, [f"{g.geom_type} of one part" for g in geometry], geometry=geometry
    )

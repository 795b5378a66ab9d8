"""single_part: every geometry has one part."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.contract.rules.validity import SinglePart


@feature_rule(judges=Geometries)
def evaluate(rule: SinglePart, features: Geometries) -> Violations:
    """Geometries of several parts, each with the number of its parts."""
    count = shapely.get_num_geometries(features.geometry)
    several = np.flatnonzero(count > 1)
    return features.violations(
        several,
        [f"{n} parts" for n in count[several].tolist()],
        geometry=features.geometry[several],
        measure=count[several],
        unit="parts",
    )

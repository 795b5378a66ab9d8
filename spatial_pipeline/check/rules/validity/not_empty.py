"""not_empty: every feature has a geometry, and it is not empty."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Features, Violations, feature_rule, nothing_else
from spatial_pipeline.check.geometry.unjudged import EMPTY, NOT_FINITE, NULL
from spatial_pipeline.contract.rules.validity import NotEmpty


class DecodedFeatures(Features):
    """Features with any geometry that decodes, or without one."""

    keeps = frozenset({NULL, EMPTY, NOT_FINITE})


@feature_rule(judges=DecodedFeatures, deep=True, relies=nothing_else)
def evaluate(rule: NotEmpty, features: DecodedFeatures) -> Violations:
    """Null and empty geometries; one that does not decode is present, but not checked."""
    null, empty = shapely.is_missing(features.geometry), shapely.is_empty(features.geometry)
    found = np.flatnonzero(empty if rule.allow_null else empty | null)
    reasons = [
        "the geometry is null" if g is None else f"the {g.geom_type} is empty"
        for g in features.geometry[found]
    ]
    return features.violations(found, reasons)

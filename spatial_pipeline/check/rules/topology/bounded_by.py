"""bounded_by: lines of an allowed kind cover the boundaries of polygons."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    Features,
    Lines,
    Overlay,
    Polygons,
    Violations,
    overlay_rule,
    uncovered_lines,
)
from spatial_pipeline.check.coverage.difference_with_union import uncovered
from spatial_pipeline.check.geometry.eligible import LINE, of_dimension
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.boundaries import BoundedBy
from spatial_pipeline.model.profile import VectorProfile

SHARED_BOUNDARY = "****1****"
"""DE-9IM: the boundaries share a stretch."""


@overlay_rule(judges=Polygons, against=Lines)
def evaluate(rule: BoundedBy, overlay: Overlay) -> Violations:
    """The part of each boundary that no allowed line covers, and its length."""
    if rule.between is None:
        lines = shapely.boundary(overlay.geometry)
        return uncovered_lines(overlay, lines, overlay.other_geometry, rule.tolerance)
    return _between(rule, overlay)


def _between(rule: BoundedBy, overlay: Overlay) -> Violations:
    """The same of boundaries shared by neighbours of two kinds; the first of a pair reports it."""
    conditions = rule.conditions()
    profile = overlay.context.data.profile
    known = [c.name for c in profile.columns] if isinstance(profile, VectorProfile) else []
    near = overlay.beside(columns_of("\n".join(conditions), known), 0.0)
    both = (overlay.features, near)
    here, count = overlay.geometry, len(overlay)
    shapes = np.concatenate([here, of_dimension(shapely.force_2d(near.geometry), 2)])
    position, row = (
        np.concatenate([getattr(f.batch, name)[f.index] for f in both])
        for name in ("positions", "rows")
    )
    one_kind, other_kind = (
        np.concatenate([_holds(features, condition) for features in both])
        for condition in conditions
    )
    one, other = related(shapes[:count], shapes, SHARED_BOUNDARY, overlay.cancelled)
    wanted = position[one] < position[other]
    wanted &= (one_kind[one] & other_kind[other]) | (other_kind[one] & one_kind[other])
    one, other = one[wanted], other[wanted]
    boundary = shapely.boundary(shapes)
    shared = of_dimension(shapely.intersection(boundary[one], boundary[other]), LINE)
    rest, length = uncovered(
        shapely.line_merge(shared),
        [overlay.other_geometry],
        LINE,
        rule.tolerance,
        overlay.cancelled,
    )
    found = np.flatnonzero(~shapely.is_missing(rest))
    return Violations.build(
        np.column_stack([row[one[found]], row[other[found]]]),
        "not covered",
        rest[found],
        length[found],
        overlay.features.length_unit,
    )


def _holds(features: Features, condition: str) -> NDArray[np.bool_]:
    """(n,) bool: features that meet a condition."""
    return mask(features.batch.table, condition)[features.index]

"""neighbours_must_differ: polygons that share a boundary have different values."""

from __future__ import annotations

import numpy as np
import shapely

from spatial_pipeline.check.api import Neighbourhood, Polygons, Violations, tile_rule
from spatial_pipeline.check.geometry.eligible import of_dimension
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.check.join.where_filter import mask
from spatial_pipeline.contract.rules.boundaries import NeighboursMustDiffer

SHARED_BOUNDARY = "****1****"
"""DE-9IM: the boundaries share a stretch."""


@tile_rule(judges=Polygons)
def evaluate(rule: NeighboursMustDiffer, tile: Neighbourhood) -> Violations:
    """Shared boundaries of polygons with equal values, and their length; null equals null."""
    one, other = related(tile.geometry, tile.geometry, SHARED_BOUNDARY, tile.cancelled)
    ahead = tile.position[one] < tile.position[other]
    one, other = one[ahead], other[ahead]
    same = tile.equal(one, other, rule.values)
    if rule.except_where is not None:
        excepted = mask(tile.features.batch.table, rule.except_where)[tile.features.index]
        same &= ~(excepted[one] | excepted[other])
    one, other = one[same], other[same]
    boundary = shapely.boundary(tile.geometry)
    shared = of_dimension(shapely.intersection(boundary[one], boundary[other]), 1)
    shared = shapely.line_merge(shared)
    length = shapely.length(shared)
    found = np.flatnonzero((length > rule.tolerance) | (rule.tolerance == 0))
    return tile.violations(
        np.column_stack([one[found], other[found]]),
        "equal neighbours",
        geometry=shared[found],
        measure=length[found],
        unit=tile.features.length_unit,
    )

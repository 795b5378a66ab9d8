"""neighbours_must_differ: polygons that share a boundary have different values."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

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
    position, values = tile.position, tile.classes(rule.values)
    judged = np.ones(len(values), dtype=bool)
    if rule.except_where is not None:
        judged = ~mask(tile.features.batch.table, rule.except_where)[tile.features.index]

    def wanted(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        # Most neighbours differ: only of equal ones it matters whether they share a boundary.
        alike = (values[one] == values[other]) & judged[one] & judged[other]
        return np.asarray(alike & (position[one] < position[other]))

    shapes = tile.geometry
    one, other = related(shapes, shapes, SHARED_BOUNDARY, tile.cancelled, wanted)
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

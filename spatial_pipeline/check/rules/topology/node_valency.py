"""node_valency: so or so many line ends meet in every node."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Lines, Neighbourhood, Violations, tile_rule
from spatial_pipeline.check.geometry.line_nodes import LineEnds, Nodes
from spatial_pipeline.contract.rules.nodes import NodeValency


@tile_rule(judges=Lines)
def evaluate(rule: NodeValency, tile: Neighbourhood) -> Violations:
    """Nodes in which too few or too many ends meet; both ends of a closed line count."""
    nodes = Nodes.of(LineEnds.of(tile.features.parts))
    low = nodes.valency < (rule.min or 0)
    high = nodes.valency > rule.max if rule.max is not None else np.zeros(len(low), dtype=bool)
    found = np.flatnonzero(low | high)
    return tile.violations(
        nodes.features[found],
        np.where(low[found], "too few line ends", "too many line ends").tolist(),
        geometry=nodes.point[found],
        measure=nodes.valency[found],
    )

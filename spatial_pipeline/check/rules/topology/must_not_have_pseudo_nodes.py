"""must_not_have_pseudo_nodes: no two lines end in a node of nothing else."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Lines, Neighbourhood, Violations, tile_rule
from spatial_pipeline.check.geometry.line_nodes import LineEnds, Nodes
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.contract.rules.nodes import MustNotHavePseudoNodes


@tile_rule(judges=Lines)
def evaluate(rule: MustNotHavePseudoNodes, tile: Neighbourhood) -> Violations:
    """Nodes of two ends of two lines, through which no third line runs."""
    nodes = Nodes.of(LineEnds.of(tile.features.parts))
    several = (nodes.features >= 0).sum(axis=1)
    two = np.flatnonzero((nodes.valency == 2) & (several == 2))
    touched = related(nodes.point[two], tile.geometry, "intersects", tile.cancelled)[0]
    two = two[np.bincount(touched, minlength=len(two)) == 2]
    pair = nodes.features[two][:, :2]
    if rule.same_columns:
        same = tile.equal(pair[:, 0], pair[:, 1], rule.same_columns)
        two, pair = two[same], pair[same]
    return tile.violations(pair, "pseudo node", geometry=nodes.point[two])

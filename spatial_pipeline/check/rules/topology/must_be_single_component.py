"""must_be_single_component: the lines are connected."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Named, Network, network_rule
from spatial_pipeline.check.geometry.networks import components
from spatial_pipeline.contract.rules.networks import MustBeSingleComponent


@network_rule
def evaluate(rule: MustBeSingleComponent, network: Network) -> Named:
    """Lines outside the components of most lines, and the number of lines of theirs."""
    part = components(network.nodes, network.start, network.end)[network.start]
    size = np.bincount(part, minlength=network.nodes)
    first = np.full(network.nodes, np.iinfo(np.int64).max)
    np.minimum.at(first, part, network.row)
    # Of components of one size, that of the first row is kept.
    ranked = np.lexsort([first, -size])
    left = np.flatnonzero(~np.isin(part, ranked[: rule.max_components]))
    return left, "not connected", size[part[left]]

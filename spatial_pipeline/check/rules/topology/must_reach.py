"""must_reach: every line leads to a point of the other dataset."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Named, Network, network_rule
from spatial_pipeline.check.geometry.networks import reaching
from spatial_pipeline.contract.rules.networks import MustReach


@network_rule
def evaluate(rule: MustReach, network: Network) -> Named:
    """Lines whose end leads to no point; with against, lines whose start no point leads to."""
    start, end = network.start, network.end
    if rule.against:
        start, end = end, start
    ways = (start, end)
    if not rule.directed:
        ways = np.concatenate([start, end]), np.concatenate([end, start])
    reached = reaching(network.nodes, *ways, network.marked, network.cancelled)
    lost = np.flatnonzero(~reached[end])
    return lost, "reaches no point", np.full(len(lost), np.nan)

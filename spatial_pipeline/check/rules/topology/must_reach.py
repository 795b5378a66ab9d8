"""must_reach: every line leads to a point of the other dataset."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Named, Network, network_rule
from spatial_pipeline.check.geometry.networks import reaching
from spatial_pipeline.contract.rules.networks import MustReach


@network_rule
def evaluate(rule: MustReach, network: Network) -> Named:
    """Lines whose end leads to no point; with against, lines whose start no point leads to.

    A way ends at a barrier, unless a point that it shall reach lies there.
    """
    start, end = network.start, network.end
    if rule.against:
        start, end = end, start
    one, other = start, end
    if not rule.directed:
        one, other = np.concatenate([start, end]), np.concatenate([end, start])
    way = network.passable(one)
    reached = reaching(network.nodes, one[way], other[way], network.marked, network.cancelled)
    there = reached[end] if rule.directed else reached[start] | reached[end]
    lost = np.flatnonzero(~there)
    return lost, "reaches no point", np.full(len(lost), np.nan)

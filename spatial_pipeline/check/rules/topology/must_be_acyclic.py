"""must_be_acyclic: no way along the lines leads back to its beginning."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import Named, Network, network_rule
from spatial_pipeline.check.geometry.networks import on_cycles
from spatial_pipeline.contract.rules.networks import MustBeAcyclic


@network_rule
def evaluate(rule: MustBeAcyclic, network: Network) -> Named:
    """Lines on a directed cycle, and how many lines are on it and on those it shares nodes with."""
    way = network.passable(network.start)
    cycle = on_cycles(network.nodes, network.start[way], network.end[way], network.cancelled)
    found = np.flatnonzero(cycle >= 0)
    size = np.bincount(cycle[found], minlength=network.nodes)
    return way[found], "on a cycle", size[cycle[found]]

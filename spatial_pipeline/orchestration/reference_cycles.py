"""Cycles of references between the contracts of a code location, found while it loads.

Dagster fails the whole location where assets and checks depend on each other in a cycle; here, the
contract that closes one has a mistake like any other.
"""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

import dagster as dg

from spatial_pipeline.contract.errors import Mistake
from spatial_pipeline.contract.models import Contract

_loaded: WeakKeyDictionary[object, dict[str, tuple[str, ...]]] = WeakKeyDictionary()
"""Per load of a location: name of a dataset → datasets that it refers to."""


def add_references(
    context: dg.ComponentLoadContext, contract: Contract, path: Path
) -> Mistake | None:
    """Adds a contract to the references of its location; the mistake if it closes a cycle.

    Args:
        context: where the component is loaded.
        contract: the contract.
        path: file of the component.

    """
    edges = _loaded.setdefault(context.component_tree.state_tracker, {})
    references = (*contract.others, *(n for n in contract.after if n != contract.name))
    for other in references:
        way = _way(edges, other, contract.name)
        if way is not None:
            cycle = " → ".join((contract.name, *way))
            return Mistake(path, None, f"datasets refer to each other in a cycle: {cycle}")
    edges[contract.name] = references
    return None


def _way(edges: dict[str, tuple[str, ...]], start: str, end: str) -> tuple[str, ...] | None:
    """Datasets from one to another along references, both included; None without a way."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while ways:
        way = ways.pop()
        if way[-1] == end:
            return way
        following = [n for n in edges.get(way[-1], ()) if n not in seen]
        seen.update(following)
        ways += [(*way, n) for n in following]
    return None

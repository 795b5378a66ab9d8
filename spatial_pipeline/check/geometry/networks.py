"""Graphs as arrays of edges: components, what reaches a node, and what lies on a cycle.

Every function works in rounds over arrays. The number of rounds is about the logarithm of the
number of nodes for components, and the length of the longest path for the others; a round of these
looks at the edges of its frontier only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def components(nodes: int, start: Indices, end: Indices) -> Indices:
    """(nodes,) the lowest node of the connected component of each node, direction apart.

    Source of the method: hooking and pointer jumping (Shiloach and Vishkin, 1982).
    """
    label = np.arange(nodes)
    while True:
        low = np.minimum(label[start], label[end])
        hooked = label.copy()
        np.minimum.at(hooked, label[start], low)
        np.minimum.at(hooked, label[end], low)
        while not np.array_equal(hooked, hooked[hooked]):
            hooked = hooked[hooked]
        if np.array_equal(hooked, label):
            return label
        label = hooked


def reaching(
    nodes: int,
    start: Indices,
    end: Indices,
    goals: Indices,
    cancelled: Callable[[], None] = lambda: None,
) -> NDArray[np.bool_]:
    """(nodes,) bool: nodes from which directed edges lead to one of the goals, these included."""
    order = np.argsort(end, kind="stable")
    first = np.searchsorted(end[order], np.arange(nodes + 1))
    found = np.zeros(nodes, dtype=bool)
    frontier = np.unique(goals)
    while len(frontier):
        cancelled()
        found[frontier] = True
        before = start[order[_ranges(first[frontier], first[frontier + 1])]]
        frontier = np.unique(before[~found[before]])
    return found


def on_cycles(
    nodes: int, start: Indices, end: Indices, cancelled: Callable[[], None] = lambda: None
) -> Indices:
    """(m,) number of the cycle that each of m directed edges lies on, -1 for none.

    Edges that lie on several cycles with common nodes have one number: they are a strongly
    connected component. Source of the method: trimming and colouring (Orzan, 2004).
    """
    cycle = np.full(len(start), -1)
    left = np.arange(len(start))
    while len(left):
        cancelled()
        left = left[_untrimmed(nodes, start[left], end[left])]
        if not len(left):
            break
        one, other = start[left], end[left]
        colour = _highest(nodes, one, other, cancelled)
        same = colour[one] == colour[other]
        roots = np.unique(colour[one])
        back = reaching(nodes, one[same], other[same], roots, cancelled)
        held = same & back[one] & back[other]
        cycle[left[held]] = colour[one[held]]
        # A node of a found component is on no other cycle.
        gone = np.zeros(nodes, dtype=bool)
        gone[one[held]] = gone[other[held]] = True
        gone[roots] = True
        left = left[~(gone[one] | gone[other])]
    return cycle


def _untrimmed(nodes: int, start: Indices, end: Indices) -> NDArray[np.bool_]:
    """(m,) bool: edges that remain when edges from or to dead ends go, again and again."""
    kept = np.ones(len(start), dtype=bool)
    while True:
        leaves = np.bincount(start[kept], minlength=nodes) > 0
        enters = np.bincount(end[kept], minlength=nodes) > 0
        now = kept & leaves[end] & enters[start]
        if np.array_equal(now, kept):
            return kept
        kept = now


def _highest(nodes: int, start: Indices, end: Indices, cancelled: Callable[[], None]) -> Indices:
    """(nodes,) the highest node from which each node can be reached."""
    colour = np.arange(nodes)
    while True:
        cancelled()
        now = colour.copy()
        np.maximum.at(now, end, colour[start])
        if np.array_equal(now, colour):
            return colour
        colour = now


def _ranges(begin: Indices, stop: Indices) -> Indices:
    """The numbers of all ranges, one after the other."""
    size = stop - begin
    return np.asarray(np.arange(size.sum()) + np.repeat(begin - np.cumsum(size) + size, size))


__all__ = ["components", "on_cycles", "reaching"]

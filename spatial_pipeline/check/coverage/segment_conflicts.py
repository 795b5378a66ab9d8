"""Segments that cross, touch or come nearer to each other than rounding can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.boxes import Boxes

MARGIN = 1e-11
"""Distance below which rounding is not trusted, relative to the largest coordinate."""
COMPARED = 1 << 17
"""Pairs of segments compared at once."""


def spans(edges: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """(n, 4) boxes around (n, 4) segments that leave a margin."""
    low, high = np.minimum(edges[:, :2], edges[:, 2:]), np.maximum(edges[:, :2], edges[:, 2:])
    return np.concatenate([low - margin, high + margin], axis=1)


def clashes(
    edges: NDArray[np.float64], boxes: Boxes, some: slice, margin: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Conflicts of some segments with those after them.

    Two segments conflict when one comes within the margin of the other except at a shared end. A
    segment shorter than the margin conflicts by itself.

    Args:
        edges: (n, 4) segments.
        boxes: their ``spans``.
        some: the segments to test.
        margin: units of the coordinates.

    Returns:
        (k,) segments and (k,) others that they conflict or share an end with; and those in
            conflict.

    """
    lengths = np.hypot(edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1])
    every_one, every_other = boxes.meetings(boxes.bounds[some])
    every_one = every_one + some.start
    ahead = every_one < every_other
    every_one, every_other = every_one[ahead], every_other[ahead]
    short = some.start + np.flatnonzero(lengths[some] <= 4 * margin)
    pairs, clashing = [np.empty((2, 0), dtype=np.int64)], [short]
    for first in range(0, len(every_one), COMPARED):
        one, other = (e[first : first + COMPARED] for e in (every_one, every_other))
        apart = _apart(edges[one], edges[other], lengths[one], lengths[other], margin)
        clashing += [one[~apart], other[~apart]]
        met = ~apart | _share_end(edges[one], edges[other])
        pairs.append(np.stack([one[met], other[met]]))
    one, other = np.concatenate(pairs, axis=1)
    return one, other, np.unique(np.concatenate(clashing))


def _share_end(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) bool: segments that have an end in common."""
    shared = np.zeros(len(one), dtype=bool)
    for end in (one[:, :2], one[:, 2:]):
        for other_end in (other[:, :2], other[:, 2:]):
            shared |= (end == other_end).all(axis=1)
    return shared


def _apart(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    one_length: NDArray[np.float64],
    other_length: NDArray[np.float64],
    margin: float,
) -> NDArray[np.bool_]:
    """(n,) bool: pairs of different segments that are certainly disjoint, or share one end only."""
    a, b, c, d = one[:, :2], one[:, 2:], other[:, :2], other[:, 2:]
    apart = _beside(a, b, c, d, one_length, margin) | _beside(c, d, a, b, other_length, margin)
    for shared, p, other_end, q in ((a, b, c, d), (a, b, d, c), (b, a, c, d), (b, a, d, c)):
        ends = (shared == other_end).all(axis=1)
        first, second = p[ends] - shared[ends], q[ends] - shared[ends]
        longer = np.maximum(one_length[ends], other_length[ends])
        turned = np.abs(_cross(first, second)) > margin * longer
        apart[ends] = turned | ((first * second).sum(axis=1) < 0)
    return apart


def _beside(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    d: NDArray[np.float64],
    length: NDArray[np.float64],
    margin: float,
) -> NDArray[np.bool_]:
    """(n,) bool: c and d lie farther than the margin on the same side of the line through a, b."""
    left, right = _cross(b - a, c - a), _cross(b - a, d - a)
    far = margin * length
    return ((left > far) & (right > far)) | ((left < -far) & (right < -far))


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]

"""Parts of lines that other lines do not cover, without a union of the others.

Only those segments of the other lines matter whose boxes meet the box of a segment of the line, so
each line is cut with these alone. A line whose segments are all segments of the others is covered;
in a coverage, that is nearly every one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.segment_conflicts import spans
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.eligible import LINE, of_dimension
from spatial_pipeline.check.geometry.equal_segments import among, ends_in_order, once
from spatial_pipeline.check.geometry.segments import Paths, Segments

AT_ONCE = 1024
"""Lines cut at once."""


def lines_without(
    features: NDArray[np.object_],
    covers: NDArray[np.object_],
    cancelled: Callable[[], None] = lambda: None,
) -> NDArray[np.object_]:
    """(n,) the parts of lines outside all covers, None for those without.

    Args:
        features: (n,) valid lines.
        covers: (m,) valid lines.
        cancelled: raises when the time is up.

    """
    rest = features.copy()
    owner, own = _segments(features)
    _, theirs = _segments(covers)
    theirs = theirs[once(theirs)[0]]
    known = among(own, theirs)
    whole = np.bincount(owner, minlength=len(features)) > 0
    whole[owner[~known]] = False
    rest[whole] = None
    left = ~whole[owner]
    owner, own = owner[left], own[left]
    boxes = Boxes(spans(theirs, 0.0))
    lines = np.full(len(theirs), None, dtype=object)
    # The segments of a line follow each other.
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    edges = np.append(begins[::AT_ONCE], len(owner)) if len(owner) else np.zeros(1, np.int64)
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        cancelled()
        one, other = boxes.meetings(spans(own[begin:end], 0.0))
        pairs = np.unique(owner[begin + one] * len(theirs) + other)
        feature, segment = np.divmod(pairs, max(len(theirs), 1))
        used = np.unique(segment)
        used = used[shapely.is_missing(lines[used])]
        lines[used] = shapely.linestrings(theirs[used].reshape(-1, 2, 2))
        met, group = np.unique(feature, return_inverse=True)
        if not len(met):
            continue
        around = shapely.multilinestrings(lines[segment], indices=group)
        meets = shapely.intersects(features[met], around)
        met, around = met[meets], around[meets]
        rest[met] = of_dimension(shapely.difference(features[met], around), LINE)
    return rest


def _segments(lines: NDArray[np.object_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(s,) the line of each segment of some length, and (s, 4) its ends, the lower one first."""
    segments = Segments.of(Paths.of(lines))
    ends, _ = ends_in_order(segments.start, segments.end)
    long = (ends[:, :2] != ends[:, 2:]).any(axis=1)
    return segments.owner[long], ends[long]


__all__ = ["lines_without"]

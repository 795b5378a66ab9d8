"""Judgements that rules about points and lines on something share."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.difference_with_union import uncovered
from spatial_pipeline.check.forms.overlay_rule import Overlay
from spatial_pipeline.check.geometry.eligible import LINE
from spatial_pipeline.check.geometry.related_pairs import within_reach
from spatial_pipeline.model.violations import Violations

REACH = 2
"""Multiple of the tolerance up to which the distance of a stray point is measured."""


def stray_points(
    overlay: Overlay,
    point: NDArray[np.object_],
    feature: NDArray[np.int64],
    targets: NDArray[np.object_],
    tolerance: float,
    reason: str,
    part: NDArray[np.int64] | int = -1,
    vertex: NDArray[np.int64] | int = -1,
) -> Violations:
    """Points farther than the tolerance from all targets; without a tolerance, off them.

    Args:
        overlay: the features.
        point: (k,) points.
        feature: (k,) index of the feature of each.
        targets: (m,) geometries, those within twice the tolerance among them.
        tolerance: units of the coordinates.
        reason: what is wrong.
        part: (k,) numbers of the parts.
        vertex: (k,) numbers of the vertices.

    Returns:
        Violations with the point as geometry; the measure is its distance, NaN when this is more
        than twice the tolerance.

    """
    one, other = within_reach(point, targets, REACH * tolerance, overlay.cancelled)
    distance = np.full(len(point), np.inf)
    measured = shapely.distance(point[one], targets[other]) if tolerance else 0.0
    np.minimum.at(distance, one, measured)
    found = np.flatnonzero(distance > tolerance)
    size = np.where(np.isfinite(distance[found]), distance[found], np.nan)
    place = [p if isinstance(p, int) else p[found] for p in (part, vertex)]
    return overlay.violations(
        feature[found],
        reason,
        point[found],
        size,
        overlay.features.length_unit,
        part=place[0],
        vertex=place[1],
    )


def uncovered_lines(
    overlay: Overlay,
    lines: NDArray[np.object_],
    covers: NDArray[np.object_],
    tolerance: float,
) -> Violations:
    """The parts of lines outside the union of other lines, and their length.

    Args:
        overlay: the features.
        lines: (n,) lines of the features.
        covers: (m,) lines that may cover them.
        tolerance: parts of at most this length are accepted.

    """
    rest, length = uncovered(lines, [covers], LINE, tolerance, overlay.cancelled)
    found = np.flatnonzero(~shapely.is_missing(rest))
    unit = overlay.features.length_unit
    return overlay.violations(found, "not covered", rest[found], length[found], unit)


__all__ = ["REACH", "stray_points", "uncovered_lines"]

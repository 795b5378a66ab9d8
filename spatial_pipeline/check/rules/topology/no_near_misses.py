"""no_near_misses: no node lies near a node or line that it does not touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Lines, Overlay, Violations, overlay_rule
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.check.geometry.related_pairs import shortest_lines, within_reach
from spatial_pipeline.contract.rules.nodes import NoNearMisses


@overlay_rule(
    judges=Lines,
    against=Lines,
    halo=lambda rule: rule.within,
    columns=lambda rule: rule.unless_differs,
)
def evaluate(rule: NoNearMisses, overlay: Overlay) -> Violations:
    """The shortest connection of an end or vertex to a line, or an end, that it does not touch.

    An end whose nearest place on a line is the end of that line is near a node, not an edge.
    """
    ends, others = (LineEnds.of(f.parts).once() for f in (overlay.features, overlay.other))
    found = []
    if "node-node" in rule.between:
        near = _misses(
            rule, overlay, ends.point, ends.feature, others.point, others.feature, once=True
        )
        found.append(_told(overlay, near, "node near node"))
    if "node-edge" in rule.between:
        found.append(_edges(rule, overlay, ends.point, ends.feature, others, "node near edge"))
    if "vertex-edge" in rule.between:
        vertices = overlay.features.vertices
        inner = np.flatnonzero((vertices.vertex > 0) & ~vertices.last)
        point, feature = vertices.points(inner), vertices.feature[inner]
        found.append(_edges(rule, overlay, point, feature, others, "vertex near edge"))
    return Violations.concat(found)


@dataclass(frozen=True)
class NearMiss:
    """Connections of features of this dataset to those of the other one, k of each."""

    line: NDArray[np.object_]
    one: NDArray[np.int64]
    other: NDArray[np.int64]

    def take(self, index: NDArray[np.bool_]) -> NearMiss:
        """Some of the connections."""
        return NearMiss(self.line[index], self.one[index], self.other[index])


def _misses(
    rule: NoNearMisses,
    overlay: Overlay,
    point: NDArray[np.object_],
    feature: NDArray[np.int64],
    targets: NDArray[np.object_],
    target_feature: NDArray[np.int64],
    *,
    once: bool,
) -> NearMiss:
    """Points near targets of other features that they do not touch."""
    i, j = within_reach(point, targets, rule.within, overlay.cancelled)
    apart = ~shapely.intersects(point[i], targets[j])
    apart &= overlay.different(feature[i], target_feature[j], once=once)
    names = rule.unless_differs
    apart &= overlay.equal(feature[i], target_feature[j], names, names)
    i, j = i[apart], j[apart]
    line = shortest_lines(point[i], targets[j])
    return NearMiss(line, feature[i], target_feature[j])


def _told(overlay: Overlay, near: NearMiss, reason: str) -> Violations:
    length, unit = shapely.length(near.line), overlay.features.length_unit
    return overlay.violations(near.one, reason, near.line, length, unit, near.other)


def _edges(
    rule: NoNearMisses,
    overlay: Overlay,
    point: NDArray[np.object_],
    feature: NDArray[np.int64],
    ends: LineEnds,
    reason: str,
) -> Violations:
    """Points near the inside of lines."""
    every = np.arange(len(overlay.other))
    lines = overlay.other_geometry
    near = _misses(rule, overlay, point, feature, lines, every, once=False)
    last = shapely.get_point(near.line, -1)
    held = np.full(len(lines), None, dtype=object)
    held[np.unique(ends.feature)] = shapely.multipoints(
        ends.point, indices=np.unique(ends.feature, return_inverse=True)[1]
    )
    return _told(overlay, near.take(~shapely.intersects(last, held[near.other])), reason)

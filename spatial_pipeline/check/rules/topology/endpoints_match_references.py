"""endpoints_match_references: both ends of a line lie at the nodes that it names."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.check.api import Lines, Overlay, Points, Violations, overlay_rule
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.check.geometry.related_pairs import within_reach
from spatial_pipeline.contract.rules.networks import EndpointsMatchReferences


@overlay_rule(
    judges=Lines,
    against=Points,
    halo=lambda rule: rule.tolerance,
    columns=lambda rule: (rule.other_key,),
)
def evaluate(rule: EndpointsMatchReferences, overlay: Overlay) -> Violations:
    """Ends of lines where no node has the name that the line gives; null names none.

    The start of the first part and the end of the last part of a line are judged.
    """
    ends = LineEnds.of(overlay.features.parts)
    first = np.flatnonzero(np.diff(ends.feature, prepend=-1))
    last = np.append(first[1:], len(ends)) - 1
    both = [
        _lost(rule, overlay, ends.take(first), rule.start, "start is not at its node"),
        _lost(rule, overlay, ends.take(last), rule.end, "end is not at its node"),
    ]
    return Violations.concat(both)


def _lost(
    rule: EndpointsMatchReferences, overlay: Overlay, ends: LineEnds, column: str, reason: str
) -> Violations:
    """Ends away from the node of the name in a column."""
    end, node = within_reach(ends.point, overlay.other_geometry, rule.tolerance, overlay.cancelled)
    named = _present(overlay, column)[ends.feature[end]]
    equal = overlay.equal(ends.feature[end], node, (column,), (rule.other_key,)) & named
    found = np.bincount(end[equal], minlength=len(ends)) == 0
    lost = ends.take(found)
    return overlay.violations(lost.feature, reason, lost.point, part=lost.part, vertex=lost.vertex)


def _present(overlay: Overlay, column: str) -> NDArray[np.bool_]:
    """(n,) bool: features with a value."""
    values = pc.is_valid(overlay.features.column(column))
    return np.asarray(values.to_numpy(), dtype=bool)

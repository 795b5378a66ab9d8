"""lines_split_at: lines that meet in a point have a node there."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Lines, Overlay, Violations, overlay_rule
from spatial_pipeline.check.forms.feature_rule import Features
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.contract.rules.nodes import LinesSplitAt


@overlay_rule(judges=Lines, against=Lines, columns=lambda rule: rule.unless_differs)
def evaluate(rule: LinesSplitAt, overlay: Overlay) -> Violations:
    """Points that two lines share and that are no node, or no vertex, of one of them.

    Stretches that lines share are not judged: must_not_overlap and must_not_intersect are.
    """
    one, other = overlay.pairs("intersects", once=True)
    met = overlay.equal(one, other, rule.unless_differs, rule.unless_differs)
    one, other = one[met], other[met]
    shared = shapely.intersection(overlay.geometry[one], overlay.other_geometry[other])
    point, pair = shapely.get_parts(shared, return_index=True)
    single = shapely.get_type_id(point) == 0
    point, pair = point[single], pair[single]
    mine = _places(rule, overlay.features, overlay.geometry)[one[pair]]
    theirs = _places(rule, overlay.other, overlay.other_geometry)[other[pair]]
    lacking = ~(shapely.intersects(point, mine) & shapely.intersects(point, theirs))
    point, pair = point[lacking], pair[lacking]
    return overlay.violations(one[pair], f"no {rule.require}", point, other=other[pair])


def _places(
    rule: LinesSplitAt, features: Features, lines: NDArray[np.object_]
) -> NDArray[np.object_]:
    """(n,) the ends or the vertices of the lines of each feature."""
    if rule.require == "vertex":
        return np.asarray(shapely.extract_unique_points(lines), dtype=object)
    ends = LineEnds.of(features.parts)
    places = np.full(len(features), None, dtype=object)
    places[np.unique(ends.feature)] = shapely.multipoints(
        ends.point, indices=np.unique(ends.feature, return_inverse=True)[1]
    )
    return places

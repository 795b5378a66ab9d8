"""bounds_within: the extent of the data lies inside a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Context, RuleOutcome, Violations, profile_rule
from spatial_pipeline.check.crs.area_of_use import areas
from spatial_pipeline.check.raster.grid import extent_rounding
from spatial_pipeline.contract.rules.metadata import BoundsWithin
from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.readers import VectorReader

CHUNK = 65_536
"""Features whose parts are tested at once."""


@profile_rule
def evaluate(rule: BoundsWithin, profile: Profile, context: Context) -> RuleOutcome:
    """Compares the extent with a box, or with the area of use of the CRS.

    One violation per side that the extent crosses, with the strip beyond it. An area of use across
    the antimeridian is not a box in longitudes: there the parts of every feature are compared,
    because the extent of data on both sides of 180° spans the world.

    Raises:
        RuleError: the area of use is required and not known.

    """
    extent = profile.bounds
    if extent is None:
        return RuleOutcome(checked=0, notes=("there is no extent: nothing has coordinates",))
    # The extent of a raster is computed, that of features is as the file has it.
    slack = extent_rounding(profile) if isinstance(profile, RasterProfile) else (0.0, 0.0)
    if rule.bounds is not None:
        return _within(extent, rule.bounds, "the bounds", slack)
    crs = profile.pyproj_crs
    if crs is None:
        msg = "needs crs"
        raise RuleError(msg)
    boxes = areas(crs)
    where = f"the area of use of {crs.name}"
    if len(boxes) == 1:
        return _within(extent, boxes[0], where, slack)
    if _inside(_shrunk(extent, slack), boxes)[0]:
        return RuleOutcome(checked=1)
    if isinstance(profile, RasterProfile):
        violations = Violations.build([-1], f"the extent leaves {where}", _places([extent]))
        return RuleOutcome(checked=1, violations=violations)
    return _by_feature(context, boxes, where)


def _by_feature(context: Context, boxes: tuple[Bounds, ...], where: str) -> RuleOutcome:
    data = cast("VectorReader", context.data)
    bounds = data.feature_bounds()
    known = np.isfinite(bounds).all(axis=1)
    suspects = np.flatnonzero(known & ~_inside(bounds, boxes))
    parts = []
    for start in range(0, len(suspects), CHUNK):
        context.cancelled()
        parts.append(_outside(data.take(suspects[start : start + CHUNK], ()), boxes, where))
    return RuleOutcome(checked=int(known.sum()), violations=Violations.concat(parts))


def _shrunk(extent: Bounds, slack: tuple[float, float]) -> NDArray[np.float64]:
    """(1, 4) the extent, shrunk by the possible rounding error."""
    xmin, ymin, xmax, ymax = extent
    x, y = slack
    return np.array([[xmin + x, ymin + y, xmax - x, ymax - y]])


def _within(extent: Bounds, box: Bounds, where: str, slack: tuple[float, float]) -> RuleOutcome:
    """Compares the four sides of two boxes, up to the rounding of the first."""
    xmin, ymin, xmax, ymax = extent
    x, y = slack
    sides = [
        ("xmin", xmin < box[0] - x, xmin, box[0], (xmin, ymin, min(box[0], xmax), ymax)),
        ("ymin", ymin < box[1] - y, ymin, box[1], (xmin, ymin, xmax, min(box[1], ymax))),
        ("xmax", xmax > box[2] + x, xmax, box[2], (max(box[2], xmin), ymin, xmax, ymax)),
        ("ymax", ymax > box[3] + y, ymax, box[3], (xmin, max(box[3], ymin), xmax, ymax)),
    ]
    broken = [
        (name, value, bound, strip) for name, outside, value, bound, strip in sides if outside
    ]
    return RuleOutcome(
        checked=4,
        violations=Violations.build(
            np.full(len(broken), -1),
            [f"{name} {value:.12g} lies beyond {bound:.12g}" for name, value, bound, _ in broken],
            _places([strip for *_, strip in broken]),
            measure=[abs(value - bound) for _, value, bound, _ in broken],
        ),
        message=f"the extent {_told(extent)} leaves {where} {_told(box)}" if broken else "",
    )


def _outside(batch: FeatureBatch, boxes: tuple[Bounds, ...], where: str) -> Violations:
    """Features with a part outside all boxes, with the extent of those parts."""
    parts, feature = shapely.get_parts(batch.geometry, return_index=True)
    lost = ~shapely.is_empty(parts) & ~_inside(shapely.bounds(parts), boxes)
    features, first = np.unique(feature[lost], return_index=True)
    boxes_of_parts = shapely.bounds(parts[lost])[first]
    return Violations.build(
        batch.rows[features], f"lies outside {where}", _places(boxes_of_parts.tolist())
    )


def _inside(bounds: NDArray[np.float64], boxes: tuple[Bounds, ...]) -> NDArray[np.bool_]:
    """(n,) bool: bounds that lie in one of the boxes."""
    inside = np.zeros(len(bounds), dtype=bool)
    for xmin, ymin, xmax, ymax in boxes:
        inside |= (
            (bounds[:, 0] >= xmin)
            & (bounds[:, 1] >= ymin)
            & (bounds[:, 2] <= xmax)
            & (bounds[:, 3] <= ymax)
        )
    return inside


def _places(boxes: Sequence[Bounds]) -> NDArray[np.object_]:
    """Boxes as geometries: points and lines where they have no width."""
    places = np.empty(len(boxes), dtype=object)
    for i, (xmin, ymin, xmax, ymax) in enumerate(boxes):
        corners = [[xmin, ymin], [xmin, ymax], [xmax, ymin], [xmax, ymax]]
        places[i] = shapely.convex_hull(shapely.multipoints(corners))
    return places


def _told(box: Bounds) -> str:
    return f"[{', '.join(f'{v:.12g}' for v in box)}]"

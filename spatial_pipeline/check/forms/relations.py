"""Judgements that rules about related features share: their number, and forbidden pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.forms.feature_rule import Features
from spatial_pipeline.check.forms.overlay_rule import Overlay
from spatial_pipeline.check.geometry.crossings import crossings
from spatial_pipeline.check.geometry.eligible import of_dimension
from spatial_pipeline.model.violations import Violations

SYMMETRIC = {"intersects", "overlaps", "touches", "equals", "crosses"}
"""Predicates that hold both ways or neither."""
TRANSPOSED = (0, 3, 6, 1, 4, 7, 2, 5, 8)
SHARED_AREA, SHARED_LENGTH = "2********", "1********"


def out_of_count(
    overlay: Overlay,
    relation: str,
    least: int | None,
    most: int | None,
    few: str,
    many: str,
) -> Violations:
    """Features with too few or too many features of the other dataset in relation to them.

    Args:
        overlay: the features.
        relation: see ``related``.
        least: smallest accepted number, None for no limit.
        most: largest accepted number, None for no limit.
        few: reason of a smaller number.
        many: reason of a larger one.

    Returns:
        Violations with the feature as geometry and the number as measure.

    """
    one, _ = overlay.pairs(relation)
    return out_of_bounds(overlay, np.bincount(one, minlength=len(overlay)), least, most, few, many)


def out_of_bounds(
    overlay: Overlay,
    count: NDArray[np.int64],
    least: int | None,
    most: int | None,
    few: str,
    many: str,
) -> Violations:
    """The same for (n,) numbers that are known."""
    low = count < least if least is not None else np.zeros(len(count), dtype=bool)
    high = count > most if most is not None else np.zeros(len(count), dtype=bool)
    found = np.flatnonzero(low | high)
    return overlay.violations(
        found,
        np.where(low[found], few, many).tolist(),
        geometry=overlay.geometry[found],
        measure=count[found],
    )


def forbidden(overlay: Overlay, relation: str, reason: str, tolerance: float = 0.0) -> Violations:
    """Pairs of features in a relation, with their intersection and its size.

    Args:
        overlay: the features.
        relation: see ``related``; a pair in a symmetric one comes once.
        reason: what is wrong.
        tolerance: pairs whose intersection has at most this area (lines: length) are accepted.

    """
    one, other = overlay.pairs(relation, once=symmetric(relation))
    shared = shapely.intersection(overlay.geometry[one], overlay.other_geometry[other])
    if relation in (SHARED_AREA, SHARED_LENGTH):
        # Boundaries may touch beside the area, lines may cross beside the stretch.
        some = of_dimension(shared, 2 if relation == SHARED_AREA else 1)
        shared = np.where(shapely.is_missing(some), shared, some)
    return pairs_found(overlay, one, other, shared, reason, tolerance)


def pairs_found(
    overlay: Overlay,
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    shared: NDArray[np.object_],
    reason: str | NDArray[Any],
    tolerance: float = 0.0,
) -> Violations:
    """Violations of pairs, one for areas and one for lines as their units differ."""
    dimension = shapely.get_dimensions(shared)
    measure, units = sizes(overlay.features, shared)
    kept = ~(measure <= tolerance) if tolerance else np.ones(len(shared), dtype=bool)
    reasons = np.broadcast_to(np.asarray(reason, dtype=object), len(shared))
    parts = []
    for wanted in (2, 1, 0, -1):
        some = np.flatnonzero(kept & (dimension == wanted))
        found = overlay.violations(
            one[some],
            reasons[some].tolist(),
            shared[some],
            measure[some],
            units[wanted],
            other[some],
        )
        parts.append(found)
    return Violations.concat(parts)


def crossing_lines(overlay: Overlay, *, touching: bool) -> Violations:
    """Points at which lines meet and stretches that they share, each with the pair's keys.

    Args:
        overlay: lines.
        touching: an end on the inside of the other line counts as well.

    """
    one, other = overlay.pairs("intersects", once=True)
    mine, theirs = overlay.geometry[one], overlay.other_geometry[other]
    parts, pair = crossings(mine, theirs, touching=touching)
    reason = np.where(shapely.get_dimensions(parts) == 1, "shared line", "crossing")
    return pairs_found(overlay, one[pair], other[pair], parts, reason)


def sizes(
    features: Features, shapes: NDArray[np.object_]
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """(n,) areas of areas, lengths of lines, NaN of points; and the units by dimension."""
    dimension = shapely.get_dimensions(shapes)
    measure = np.where(
        dimension == 2,
        shapely.area(shapes),
        np.where(dimension == 1, shapely.length(shapes), np.nan),
    )
    return measure, {2: features.area_unit, 1: features.length_unit, 0: "", -1: ""}


def symmetric(relation: str) -> bool:
    """True when a relation holds both ways or neither."""
    return relation in SYMMETRIC or (len(relation) == 9 and transposed(relation) == relation)


def transposed(mask: str) -> str:
    """The DE-9IM mask of the same relation seen from the other side."""
    return "".join(mask[i] for i in TRANSPOSED)


__all__ = [
    "SHARED_AREA",
    "SHARED_LENGTH",
    "crossing_lines",
    "forbidden",
    "out_of_bounds",
    "out_of_count",
    "pairs_found",
    "sizes",
    "symmetric",
    "transposed",
]

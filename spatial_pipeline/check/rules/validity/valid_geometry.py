"""valid_geometry: every geometry is valid by OGC Simple Features."""

from __future__ import annotations

import re

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Features, Violations, feature_rule, nothing_else
from spatial_pipeline.check.geometry.ring_intersections import TooManyMeetings
from spatial_pipeline.check.geometry.unjudged import (
    EMPTY,
    NOT_FINITE,
    SCRIBBLE,
    UNDECODABLE,
    decoding_error,
)
from spatial_pipeline.check.geometry.validity_errors import ValidityError, defects
from spatial_pipeline.check.geometry.wkb_vertices import finite_places, vertices
from spatial_pipeline.contract.rules.validity import ValidGeometry


class Stored(Features):
    """Features with a geometry, whether it decodes or not."""

    keeps = frozenset({UNDECODABLE, EMPTY, NOT_FINITE})


@feature_rule(judges=Stored, relies=nothing_else)
def evaluate(rule: ValidGeometry, features: Stored) -> Violations:
    """The first defect of every invalid geometry, as GEOS names it, or all of them.

    A geometry that does not decode is a violation; an empty one is valid; validity is evaluated in
    the XY plane. With ``all_errors`` a feature has as many violations as defects.
    """
    geometry, lost = features.geometry, shapely.is_missing(features.geometry)
    bad = np.flatnonzero(~shapely.is_valid(geometry) & ~lost)
    parts = [_lost(features, np.flatnonzero(lost))]
    for i, first in zip(bad, shapely.is_valid_reason(geometry[bad]), strict=True):
        features.cancelled()
        found: list[ValidityError] = []
        if rule.all_errors:
            try:
                found = defects(geometry[i])
            except TooManyMeetings:
                features.note(SCRIBBLE)
        parts.append(_violations(features, int(i), found or [first_defect(geometry[i], first)]))
    return Violations.concat(parts)


def _lost(features: Features, index: NDArray[np.int64]) -> Violations:
    reasons = [f"does not decode: {decoding_error(features.wkb(i))}" for i in index]
    return features.violations(index, reasons)


def first_defect(geometry: shapely.Geometry, told: str) -> ValidityError:
    """The defect that GEOS reports, with the address of its place.

    Args:
        geometry: the invalid geometry.
        told: the text of ``shapely.is_valid_reason``: ``reason[x y]``.

    """
    match = re.fullmatch(r"(.*?)\[(\S+) (\S+)(?: \S+)*\]", told)
    if match is None:
        return ValidityError(told, None)
    reason, x, y = match.group(1), float(match.group(2)), float(match.group(3))
    found = vertices(shapely.to_wkb(geometry))
    if found is None:
        return ValidityError(reason, shapely.Point(x, y))
    xy = found.coordinates[:, :2]
    place: shapely.Geometry | None = None
    if np.isfinite([x, y]).all():
        at = found.nearest(x, y)
        place = shapely.Point(x, y)
    else:
        at = int(np.argmin(np.isfinite(xy).all(axis=1)))
        place = finite_places(xy, np.array([at]))[0]
    if at < 0:
        return ValidityError(reason, place)
    return ValidityError(
        reason, place, int(found.part[at]), int(found.ring[at]), int(found.vertex[at])
    )


def _violations(features: Features, feature: int, found: list[ValidityError]) -> Violations:
    return features.violations(
        np.full(len(found), feature),
        [d.reason for d in found],
        [d.geometry for d in found],
        part=[d.part for d in found],
        ring=[d.ring for d in found],
        vertex=[d.vertex for d in found],
    )

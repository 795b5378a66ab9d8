"""valid_geometry: every geometry is valid by OGC Simple Features."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.geometry_check import GeometryCheck, Judged
from spatial_pipeline.check.geometry.ring_intersections import TooManyMeetings
from spatial_pipeline.check.geometry.unjudged import (
    NULL,
    SCRIBBLE,
    THREE_D,
    decoding_error,
    undecodable,
)
from spatial_pipeline.check.geometry.validity_errors import ValidityError, defects
from spatial_pipeline.check.geometry.wkb_vertices import finite_places, vertices
from spatial_pipeline.contract.rules.validity import ValidGeometry
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import Violations


@evaluates(ValidGeometry)
class ValidGeometryCheck(GeometryCheck[ValidGeometry]):
    """Reports the first defect of every invalid geometry, as GEOS names it, or all of them.

    A geometry that does not decode is a violation; an empty one is valid; validity is evaluated in
    the XY plane. With ``all_errors`` a feature has as many violations as defects.
    """

    notes_depth = True

    def judge(self, batch: FeatureBatch) -> Judged:
        """Defects of the geometries of this batch."""
        geometry = batch.geometry
        lost = undecodable(batch, self.context.data.profile)
        missing = shapely.is_missing(geometry)
        bad = np.flatnonzero(~shapely.is_valid(geometry) & ~missing)
        scribbles = 0
        parts = [self._lost(batch, np.flatnonzero(lost))]
        for i, first in zip(bad, shapely.is_valid_reason(geometry[bad]), strict=True):
            self.context.cancelled()
            found: list[ValidityError] = []
            if self.rule.all_errors:
                try:
                    found = defects(geometry[i])
                except TooManyMeetings:
                    scribbles += 1
            if not found:
                found = [first_defect(geometry[i], first)]
            parts.append(_violations(int(batch.rows[i]), found))
        said = {
            NULL: int((missing & ~lost).sum()),
            SCRIBBLE: scribbles,
            THREE_D: int((shapely.has_z(geometry) | shapely.has_m(geometry)).sum()),
        }
        return Judged(len(batch) - said[NULL], Violations.concat(parts), Counter(said))

    @staticmethod
    def _lost(batch: FeatureBatch, index: NDArray[np.int64]) -> Violations:
        if batch.wkb is None:
            return Violations.none()
        reasons = [f"does not decode: {decoding_error(batch.wkb[int(i)].as_py())}" for i in index]
        return Violations.build(batch.rows[index], reasons)


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


def _violations(row: int, found: list[ValidityError]) -> Violations:
    return Violations.build(
        np.full(len(found), row),
        [d.reason for d in found],
        [d.geometry for d in found],
        part=[d.part for d in found],
        ring=[d.ring for d in found],
        vertex=[d.vertex for d in found],
    )

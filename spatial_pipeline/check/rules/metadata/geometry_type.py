"""geometry_type: every feature's type is allowed, and is the type that the file declares."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property

import numpy as np
import shapely

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.geometry_check import GeometryCheck, Judged
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.geometry.unjudged import NULL, UNDECODABLE, undecodable
from spatial_pipeline.contract.rules.metadata import GeometryTypeRule
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.violations import Violations

NAMES = (
    "Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString",
    "MultiPolygon", "GeometryCollection",
)  # fmt: skip
"""Names in the order of GEOS type ids."""

UNDECLARED = frozenset({"GeoJSON", "GeoJSONSeq", "TopoJSON", "ESRIJSON", "CSV"})
"""Drivers of formats that declare no geometry type: GDAL's answer is inferred from the features."""


def declared_type(profile: VectorProfile) -> str | None:
    """The type that the file declares, without Z and M; None when it declares none.

    ``Unknown`` and ``Geometry`` stand for any type; curve types are not compared because features
    are checked as they were linearised.
    """
    if profile.geometry_type is None or profile.driver in UNDECLARED:
        return None
    name = re.sub(
        r"^(2\.5D|3D Measured|3D|Measured)\s+|\s*(25D|ZM|Z|M)$", "", profile.geometry_type.strip()
    )
    found = {n.casefold(): n for n in NAMES}.get(name.replace(" ", "").casefold())
    return found if found != "LinearRing" else None


def with_multi(names: tuple[str, ...]) -> tuple[str, ...]:
    """The types and their Multi forms."""
    return tuple(dict.fromkeys([*names, *(f"Multi{n}" for n in names if f"Multi{n}" in NAMES)]))


@evaluates(GeometryTypeRule)
class GeometryTypeCheck(GeometryCheck[GeometryTypeRule]):
    """Compares types with those allowed and with the declared one.

    With ``allow_multi`` single and Multi forms count as the same type when the declaration is
    compared, in both directions.
    """

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """Allowed types."""
        names: tuple[str, ...] = self.rule.any_of
        return with_multi(names) if self.rule.allow_multi else names

    @cached_property
    def declared(self) -> tuple[str, ...]:
        """Types that the declaration of the file allows; empty allows all."""
        profile = self.context.data.profile
        name = declared_type(profile) if isinstance(profile, VectorProfile) else None
        if name is None:
            return ()
        return with_multi((name.removeprefix("Multi"),)) if self.rule.allow_multi else (name,)

    def depends(self) -> tuple[str, ...]:
        """The types that the file's declaration allows, and the declaration itself."""
        return (*self.declared, str(getattr(self.context.data.profile, "geometry_type", None)))

    def judge(self, batch: FeatureBatch) -> Judged:
        """Features whose type is not allowed or not the declared one."""
        types = shapely.get_type_id(batch.geometry)
        lost = undecodable(batch, self.context.data.profile)
        judged = types >= 0
        reasons = {
            kind: why
            for kind in np.unique(types[judged]).tolist()
            if (why := self._mistake(NAMES[kind])) is not None
        }
        bad = np.flatnonzero(np.isin(types, list(reasons)))
        violations = Violations.build(
            batch.rows[bad], [reasons[t] for t in types[bad].tolist()], places(batch.geometry[bad])
        )
        said = Counter({NULL: int((~judged & ~lost).sum()), UNDECODABLE: int(lost.sum())})
        return Judged(int(judged.sum()), violations, said)

    def _mistake(self, name: str) -> str | None:
        if name not in self.allowed:
            return f"{name}, expected {' or '.join(self.allowed)}"
        if self.declared and name not in self.declared:
            profile = self.context.data.profile
            told = profile.geometry_type if isinstance(profile, VectorProfile) else ""
            return f"{name}, but the file declares {told}"
        return None

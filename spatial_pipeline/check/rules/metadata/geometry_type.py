"""geometry_type: every feature's type is allowed, and is the type that the file declares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from spatial_pipeline.check.api import Features, Violations, feature_rule
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.geometry.unjudged import EMPTY, NOT_FINITE
from spatial_pipeline.contract.rules.metadata import GeometryTypeRule
from spatial_pipeline.model.profile import Profile, VectorProfile

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


class Typed(Features):
    """Features with a geometry, which may be empty."""

    keeps = frozenset({EMPTY, NOT_FINITE})


def _declared(rule: GeometryTypeRule, profile: Profile | None) -> tuple[str, ...]:
    """Types that the declaration of the file allows; empty allows all."""
    name = declared_type(profile) if isinstance(profile, VectorProfile) else None
    if name is None:
        return ()
    return with_multi((name.removeprefix("Multi"),)) if rule.allow_multi else (name,)


def _told(profile: Profile | None) -> str:
    return str(profile.geometry_type) if isinstance(profile, VectorProfile) else ""


def relies(rule: GeometryTypeRule, profile: Profile) -> Sequence[Any]:
    """The types that the file's declaration allows, and the declaration itself."""
    return (*_declared(rule, profile), _told(profile))


@feature_rule(judges=Typed, deep=True, relies=relies)
def evaluate(rule: GeometryTypeRule, features: Typed) -> Violations:
    """Features whose type is not allowed or not the declared one.

    With ``allow_multi`` single and Multi forms count as the same type when the declaration is
    compared, in both directions.
    """
    allowed = with_multi(rule.any_of) if rule.allow_multi else rule.any_of
    declared = _declared(rule, features.profile)
    types = shapely.get_type_id(features.geometry)
    reasons = {}
    for kind in np.unique(types).tolist():
        name = NAMES[kind]
        if name not in allowed:
            reasons[kind] = f"{name}, expected {' or '.join(allowed)}"
        elif declared and name not in declared:
            reasons[kind] = f"{name}, but the file declares {_told(features.profile)}"
    bad = np.flatnonzero(np.isin(types, list(reasons)))
    return features.violations(
        bad, [reasons[t] for t in types[bad].tolist()], places(features.geometry[bad])
    )

"""measures_match: stored measures are those of the geometry."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.check.crs.transformation import in_degrees, transformed
from spatial_pipeline.check.geometry.geodesic import areas_in_square_metres, lengths_in_metres
from spatial_pipeline.contract.rules.vertices import MeasuresMatch
from spatial_pipeline.errors import RuleError

PLANAR = frozenset({"area", "length", "perimeter"})
METRES = {"m": 1.0, "km": 1000.0, "ft": 0.3048, "mi": 1609.344}
SQUARE_METRES = {"ha": 1e4, "acre": 4046.8564224}


@feature_rule(judges=Geometries)
def evaluate(rule: MeasuresMatch, features: Geometries) -> Violations:
    """Columns that differ from the geometry, each with the difference, stored less measured."""
    found = [Violations.none()]
    for measure, column in rule.columns_.by_measure.items():
        stored, size = _stored(features, column), _measured(rule, features, measure)
        accepted = np.maximum(rule.tolerance.absolute, rule.tolerance.relative * np.abs(size))
        difference = stored - size
        bad = np.flatnonzero(~(np.abs(difference) <= accepted))
        missing = np.isnan(stored[bad])
        told = np.where(missing, f"{column} is null", f"{column} is not the {measure}")
        found.append(
            features.violations(
                bad, told.tolist(), geometry=features.geometry[bad], measure=difference[bad]
            )
        )
    return Violations.concat(found)


def _stored(features: Geometries, column: str) -> NDArray[np.float64]:
    """(n,) values of a column; NaN for null."""
    values = features.column(column)
    try:
        numbers = values.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        msg = f"columns: {column} is not a numeric column: {values.type}"
        raise RuleError(msg) from exc
    return np.asarray(numbers.to_numpy(), dtype=np.float64)


def _measured(rule: MeasuresMatch, features: Geometries, measure: str) -> NDArray[np.float64]:
    """(n,) measures of the geometries, in the units of the CRS or of the rule.

    Raises:
        RuleError: a unit is asked of coordinates in degrees.

    """
    geometry = features.geometry
    if measure in PLANAR and (rule.geodesic or rule.unit is not None):
        return _in_unit(rule, features, measure)
    if measure == "area":
        return np.asarray(shapely.area(geometry), dtype=np.float64)
    if measure in {"length", "perimeter"}:
        return np.asarray(shapely.length(geometry), dtype=np.float64)
    places = np.asarray(shapely.centroid(geometry), dtype=object)
    if measure in {"lon", "lat"}:
        places, _ = transformed(places, features.batch.crs, pyproj.CRS("OGC:CRS84"))
    along = shapely.get_x if measure in {"x", "lon"} else shapely.get_y
    return np.asarray(along(places), dtype=np.float64)


def _in_unit(rule: MeasuresMatch, features: Geometries, measure: str) -> NDArray[np.float64]:
    """(n,) areas or lengths, in the plane or on the ellipsoid, in the unit of the rule."""
    geometry, crs = features.geometry, features.batch.crs
    if in_degrees(crs) and not rule.geodesic:
        msg = f"unit: the coordinates are in degrees, not in {rule.unit}: add geodesic: true"
        raise RuleError(msg)
    if rule.geodesic and crs is not None and not in_degrees(crs):
        geometry, _ = transformed(geometry, crs, crs.geodetic_crs)
        crs = crs.geodetic_crs
    if measure == "area":
        unit = SQUARE_METRES.get(rule.unit or "m") or METRES[rule.unit or "m"] ** 2
        return areas_in_square_metres(geometry, crs) / unit
    return lengths_in_metres(geometry, crs) / METRES[rule.unit or "m"]

"""measures_match: stored measures are those of the geometry."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Geometries, Violations, feature_rule
from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.contract.rules.vertices import MeasuresMatch
from spatial_pipeline.errors import RuleError


@feature_rule(judges=Geometries)
def evaluate(rule: MeasuresMatch, features: Geometries) -> Violations:
    """Columns that differ from the geometry, each with the difference, stored less measured."""
    found = [Violations.none()]
    for measure, column in rule.columns_.by_measure.items():
        stored, size = _stored(features, column), _measured(features, measure)
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
        msg = f"columns: {column} is no column of numbers: {values.type}"
        raise RuleError(msg) from exc
    return np.asarray(numbers.to_numpy(), dtype=np.float64)


def _measured(features: Geometries, measure: str) -> NDArray[np.float64]:
    """(n,) measures of the geometries, in the units of the CRS."""
    geometry = features.geometry
    if measure == "area":
        return np.asarray(shapely.area(geometry), dtype=np.float64)
    if measure in {"length", "perimeter"}:
        return np.asarray(shapely.length(geometry), dtype=np.float64)
    places = np.asarray(shapely.centroid(geometry), dtype=object)
    if measure in {"lon", "lat"}:
        places, _ = transformed(places, features.batch.crs, pyproj.CRS("OGC:CRS84"))
    along = shapely.get_x if measure in {"x", "lon"} else shapely.get_y
    return np.asarray(along(places), dtype=np.float64)

"""Bounds of measures: one for all features, or one for each class of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.forms.feature_rule import Features
from spatial_pipeline.check.geometry.geodesic import (
    areas_in_square_metres,
    lengths_in_metres,
    steps_in_metres,
)
from spatial_pipeline.check.geometry.parts import Parts
from spatial_pipeline.contract.rules.base import ClassLimits
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.violations import Violations

ELSE = "else"


class Limited(Protocol):
    """A rule with ``value`` or ``limits``."""

    @property
    def value(self) -> float | None:
        """One bound for all features."""

    @property
    def limits(self) -> ClassLimits | None:
        """Bounds by class."""


def limits(rule: Limited, features: Features) -> NDArray[np.float64]:
    """(n,) bound of each feature; NaN where its class has none.

    Raises:
        RuleError: the values of the column have no text to name a class by.

    """
    if rule.limits is None:
        return np.full(len(features), rule.value, dtype=np.float64)
    by = rule.limits.by
    try:
        named = pc.fill_null(features.column(by).cast(pa.string()), ELSE)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        msg = f"limits: the values of {by} name no class: {features.column(by).type}"
        raise RuleError(msg) from exc
    classes = pa.array(list(rule.limits.values))
    place = pc.fill_null(pc.index_in(named, classes), -1).to_numpy()
    bounds = np.array([*rule.limits.values.values(), rule.limits.values.get(ELSE, np.nan)])
    return np.asarray(bounds[place], dtype=np.float64)


class Metric(Protocol):
    """A rule that may measure in metres."""

    @property
    def metres(self) -> bool:
        """Measures are in metres, whatever the unit of the CRS is."""


def areas(rule: Metric, features: Features, geometry: NDArray[np.object_]) -> NDArray[np.float64]:
    """(m,) areas of geometries, in squared units of the CRS or in square metres."""
    if rule.metres:
        return areas_in_square_metres(geometry, features.batch.crs)
    return np.asarray(shapely.area(geometry), dtype=np.float64)


def segment_lengths(rule: Metric, features: Features) -> NDArray[np.float64]:
    """(s,) lengths of the segments of the parts, in units of the CRS or in metres."""
    vertices = features.vertices
    if not rule.metres:
        return vertices.lengths
    start = vertices.steps
    return steps_in_metres(vertices.xy[start], vertices.xy[start + 1], features.batch.crs)


def line_lengths(
    rule: Metric, features: Features, *, by_part: bool
) -> tuple[Parts, NDArray[np.float64]]:
    """Lines, or the features that they are parts of, and their lengths.

    Returns:
        The shapes, and (m,) lengths in units of the CRS or in metres; the boundaries of polygons
        do not count.

    """
    parts = features.parts
    if rule.metres:
        length = lengths_in_metres(parts.geometry, features.batch.crs)
    else:
        length = np.asarray(shapely.length(parts.geometry), dtype=np.float64)
    if by_part:
        return parts, length
    whole = features.whole
    total = np.bincount(parts.feature, length, len(whole.geometry))
    return whole, total.astype(np.float64)


def measured(
    rule: Metric,
    features: Features,
    shapes: Parts,
    found: NDArray[np.integer],
    size: NDArray[np.float64],
    bound: NDArray[np.float64],
    what: str,
    side: str,
    ring: NDArray[np.integer] | None = None,
    vertex: NDArray[np.integer] | None = None,
) -> Violations:
    """Violations of shapes whose size violates their bound.

    Args:
        rule: says the unit.
        features: the features.
        shapes: (m,) shapes of the features.
        found: indices of those in violation.
        size: (m,) their sizes.
        bound: (m,) the bounds.
        what: name of the size; that of an area ends with area.
        side: position of the size relative to its bound: below or above.
        ring: (m,) numbers of the rings, None when the shapes have none.
        vertex: (m,) numbers of the vertices, None when the shapes have none.

    """
    unit = features.area_unit if what.endswith("area") else features.length_unit
    if rule.metres:
        unit = "m²" if what.endswith("area") else "m"
    return features.violations(
        shapes.feature[found],
        [f"{what} {side} {b:.15g}{f' {unit}' if unit else ''}" for b in bound[found].tolist()],
        geometry=shapes.geometry[found],
        measure=size[found],
        unit=unit,
        part=shapes.part[found],
        ring=-1 if ring is None else ring[found],
        vertex=-1 if vertex is None else vertex[found],
    )


class Counted(Protocol):
    """A rule with the least and the most of a number."""

    @property
    def min(self) -> int | None:
        """The least; None without a lower bound."""

    @property
    def max(self) -> int | None:
        """The most; None without an upper bound."""


def counted(rule: Counted, features: Features, count: NDArray[np.integer], unit: str) -> Violations:
    """Violations of features whose number of something is out of bounds.

    Args:
        rule: the bounds.
        features: the features.
        count: (n,) number per feature.
        unit: what is counted.

    """
    few = count < (0 if rule.min is None else rule.min)
    many = count > (np.inf if rule.max is None else rule.max)
    found = np.flatnonzero(few | many)
    reasons = np.where(few, f"fewer than {rule.min} {unit}", f"more than {rule.max} {unit}")
    return features.violations(
        found,
        reasons[found].tolist(),
        geometry=features.geometry[found],
        measure=count[found],
        unit=unit,
    )

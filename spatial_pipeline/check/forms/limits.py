"""Bounds of measures: one for all features, or one for each class of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.check.forms.feature_rule import Features
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


def measured(
    features: Features,
    shapes: Parts,
    found: NDArray[np.integer],
    size: NDArray[np.float64],
    bound: NDArray[np.float64],
    what: str,
    side: str,
) -> Violations:
    """Violations of shapes whose size violates their bound.

    Args:
        features: the features.
        shapes: (m,) shapes of the features.
        found: indices of those in violation.
        size: (m,) their sizes.
        bound: (m,) the bounds.
        what: name of the size: area or length.
        side: position of the size relative to its bound: below or above.

    """
    unit = features.area_unit if what == "area" else features.length_unit
    return features.violations(
        shapes.feature[found],
        [f"{what} {side} {b:.15g}{f' {unit}' if unit else ''}" for b in bound[found].tolist()],
        geometry=shapes.geometry[found],
        measure=size[found],
        unit=unit,
        part=shapes.part[found],
    )

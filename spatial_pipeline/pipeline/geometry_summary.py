"""Summarises the geometries of a staged version in one pass, batch by batch."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.report.violations import TYPES

NAMED = 5
"""Features of each type that are named."""
DIGITS = 12
"""Decimals up to which coordinates are looked at."""
DENSE = 0.05
"""Share of features that touch another one from which neighbours are the rule."""
LOOKED = 20_000
"""Features of a batch whose neighbours are looked at."""


@dataclass
class NumberRange:
    """Smallest and largest of some numbers."""

    least: float = math.inf
    most: float = -math.inf

    def add(self, values: Any) -> None:
        """Takes finite numbers."""
        values = np.asarray(values, dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            self.least = min(self.least, float(values.min()))
            self.most = max(self.most, float(values.max()))

    @property
    def found(self) -> bool:
        """True when there was a number."""
        return self.least <= self.most


@dataclass
class GeometrySummary:
    """Summary of the geometries of a dataset.

    Attributes:
        types: features of each type.
        rows: first source rows of each type.
        dimensions: features of each kind of dimensions (XY, XYZ …).
        missing: features with no geometry, or an empty one.
        holes: number of holes.
        neighbours: True when many features of a batch touch another one.
        decimals: digits after the point that all coordinates need; None when more than looked at.
        step: grid that all coordinates lie on, in units of their last decimal.
        spans: numbers by what they measure.

    """

    types: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[int]] = field(default_factory=dict)
    dimensions: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    holes: int = 0
    neighbours: bool = False
    decimals: int | None = 0
    step: int = 0
    spans: dict[str, NumberRange] = field(default_factory=dict)

    def span(self, what: str) -> NumberRange:
        """Smallest and largest of a measure."""
        return self.spans.setdefault(what, NumberRange())

    def add(self, batch: FeatureBatch) -> None:
        """Takes the features of a batch."""
        geometry = batch.geometry
        there = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
        self.missing += int(np.count_nonzero(~there))
        self._kinds(geometry, batch.rows)
        geometry = geometry[there]
        if not len(geometry):
            return
        parts = simple_parts(geometry, 0, 1, 2)
        vertices = PathVertices.of(parts)
        self._counts(geometry, parts.geometry)
        self._measures(parts.geometry, vertices)
        self._precision(vertices.xy)
        if not self.neighbours:
            self.neighbours = _meet(geometry[:LOOKED])

    @property
    def single(self) -> list[str]:
        """Types that occur, Multi forms as their single ones, the most frequent first."""
        found: Counter[str] = Counter()
        for name, count in self.types.items():
            found[name.removeprefix("Multi")] += count
        return [name for name, _ in found.most_common()]

    @property
    def three_dimensional(self) -> bool:
        """True when some geometry has Z."""
        return any("Z" in name for name in self.dimensions)

    def _kinds(self, geometry: NDArray[np.object_], rows: NDArray[np.int64]) -> None:
        codes = shapely.get_type_id(geometry)
        for code in np.unique(codes[codes >= 0]).tolist():
            found = np.flatnonzero(codes == code)
            self.types[TYPES[code]] += len(found)
            known = self.rows.setdefault(TYPES[code], [])
            self.rows[TYPES[code]] = sorted([*known, *rows[found].tolist()])[:NAMED]
        flags = shapely.has_z(geometry) + 2 * shapely.has_m(geometry)
        for flag in np.unique(flags[codes >= 0]).tolist():
            name = ("XY", "XYZ", "XYM", "XYZM")[flag]
            self.dimensions[name] += int(np.count_nonzero(flags[codes >= 0] == flag))

    def _counts(self, geometry: NDArray[np.object_], parts: NDArray[np.object_]) -> None:
        self.span("vertices").add(shapely.get_num_coordinates(geometry))
        self.span("parts").add(shapely.get_num_geometries(geometry))
        polygons = parts[shapely.get_type_id(parts) == 3]
        self.holes += int(shapely.get_num_interior_rings(polygons).sum())

    def _measures(self, parts: NDArray[np.object_], vertices: PathVertices) -> None:
        kinds = shapely.get_type_id(parts)
        with np.errstate(all="ignore"):
            self.span("area").add(shapely.area(parts[kinds == 3]))
            self.span("length").add(shapely.length(parts[kinds == 1]))
            self.span("segment").add(vertices.lengths)
            rings, owner = shapely.get_rings(parts[kinds == 3], return_index=True)
            inner = np.diff(owner, prepend=-1) == 0
            self.span("hole").add(shapely.area(shapely.polygons(rings[inner])))
            self.span("z").add(vertices.xyzm[:, 2])
            self.span("step").add(np.abs(np.diff(vertices.xyzm[:, 2])[vertices.steps]))

    def _precision(self, xy: NDArray[np.float64]) -> None:
        values = xy[np.isfinite(xy)]
        if self.decimals is None or not len(values):
            return
        for digits in range(self.decimals, DIGITS + 1):
            off = np.round(values, digits) != values
            # Numbers that lie farther apart than the last decimal have no more of them.
            if not (off & (np.spacing(np.abs(values)) < 10.0**-digits)).any():
                if digits > self.decimals:
                    self.step *= 10 ** (digits - self.decimals)
                self.decimals = digits
                break
        else:
            self.decimals = None
            return
        whole = np.rint(values * 10.0**self.decimals)
        if np.abs(whole).max() < 2.0**53:
            self.step = int(np.gcd(np.gcd.reduce(whole.astype(np.int64)), self.step))
        else:
            self.step = 1


def _meet(geometry: NDArray[np.object_]) -> bool:
    """True when many of the features touch another one."""
    # GEOS raises for some that are not valid.
    geometry = geometry[shapely.is_valid(geometry)]
    tree = shapely.STRtree(geometry)
    with np.errstate(all="ignore"):
        left, right = tree.query(geometry, predicate="intersects")
    return len(np.unique(left[left != right])) > DENSE * len(geometry)


__all__ = ["GeometrySummary", "NumberRange"]

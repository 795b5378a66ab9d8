"""SVG map of violations: the dataset in the background, every violation marked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.result import keys_text
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked

WIDTH = 1000.0
MARGIN = 0.04
COLOURS = ("#d62728", "#1f77b4", "#ff7f0e", "#9467bd", "#2ca02c", "#8c564b")
"""Colours of the rules."""
MAX_DEFECTS = 1000
"""Defects drawn on one map."""


@dataclass(frozen=True)
class Frame:
    """Maps coordinates of a dataset to pixels of a drawing.

    Attributes:
        left: x of the left edge, CRS units.
        top: y of the upper edge, CRS units.
        per_x: pixels a unit of x.
        per_y: pixels a unit of y.
        width: width of the drawing in pixels.
        height: height of the drawing in pixels.

    """

    left: float
    top: float
    per_x: float
    per_y: float
    width: float
    height: float

    @classmethod
    def around(cls, bounds: Bounds, geographic: bool) -> Frame:
        """A frame with a margin around an extent; degrees are shortened by latitude."""
        xmin, ymin, xmax, ymax = bounds
        middle = math.radians(min(max((ymin + ymax) / 2, -85.0), 85.0))
        shrink = math.cos(middle) if geographic else 1.0
        wide, high = (xmax - xmin) * shrink, ymax - ymin
        size = max(wide, high, abs(xmin) * 1e-9, abs(ymin) * 1e-9, 1e-9)
        wide, high = max(wide, size / 8), max(high, size / 8)
        scale = WIDTH * (1 - 2 * MARGIN) / max(wide, high * 0.8)
        width = WIDTH
        height = high * scale + 2 * MARGIN * WIDTH
        left = (xmin + xmax) / 2 - width / 2 / (scale * shrink)
        top = (ymin + ymax) / 2 + height / 2 / scale
        return cls(left, top, scale * shrink, scale, width, height)

    def pixels(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) pixels of (n, 2) coordinates."""
        x = (coordinates[:, 0] - self.left) * self.per_x
        y = (self.top - coordinates[:, 1]) * self.per_y
        return np.column_stack([x, y]).astype(np.float64).round(1)


@dataclass(frozen=True)
class DrawnViolation:
    """One drawn violation.

    Attributes:
        path: SVG path of its geometry, empty for points.
        filled: True for areas.
        x: pixel of its mark.
        y: pixel of its mark.
        label: text of the mark.
        series: number of its rule among those that are drawn.

    """

    path: str
    filled: bool
    x: float
    y: float
    label: str
    series: int


@dataclass(frozen=True)
class Drawing:
    """A map, ready for the page.

    Attributes:
        frame: size and scale.
        extent: SVG path of the dataset's extent, empty when it has none.
        context: SVG path of the dataset's features.
        defects: drawn violations.
        legend: name of the rule and number of its violations, by series.
        omitted: violations that are not drawn: too many, or without a place.

    """

    frame: Frame
    extent: str
    context: str
    defects: tuple[DrawnViolation, ...]
    legend: tuple[tuple[str, int], ...]
    omitted: int


def draw(checked: Checked) -> Drawing | None:
    """The map of one check; None when there is nothing to draw beyond an extent."""
    failing = [(r, f) for r, f in checked.evaluations if len(f)]
    share = max(1, MAX_DEFECTS // max(1, len(failing)))
    placed = [(r, f, *_first(f, share)) for r, f in failing]
    beneath = checked.scene.overview if checked.scene is not None else checked.context
    if beneath is None and not any(len(first) for *_, first, _ in placed):
        return None
    extents = [] if checked.profile is None else [checked.profile.bounds]
    extents += [extent for *_, extent in placed]
    known = [e for e in extents if e is not None and np.isfinite(e).all()]
    if not known:
        return None
    low, high = np.min(known, axis=0), np.max(known, axis=0)
    crs = None if checked.profile is None else checked.profile.pyproj_crs
    bounds = (float(low[0]), float(low[1]), float(high[2]), float(high[3]))
    frame = Frame.around(bounds, crs is not None and crs.is_geographic)
    extent = ""
    if checked.profile is not None and checked.profile.bounds is not None:
        extent = _path(np.array([shapely.box(*checked.profile.bounds)]), frame)
    context = "" if beneath is None else _path(beneath, frame)
    defects: list[DrawnViolation] = []
    for series, (_, _, first, _) in enumerate(placed):
        labels = [
            f"{first.reasons[i]}{_keys(first.keys[i] if first.keys is not None else ())}"
            for i in range(len(first))
        ]
        defects += _defects(first.geometry, labels, series, frame)
    legend = tuple((r.name, len(f)) for r, f in failing)
    omitted = sum(len(f) for _, f in failing) - len(defects)
    return Drawing(frame, extent, context, tuple(defects), legend, omitted)


def _defects(
    geometry: NDArray[Any], labels: Sequence[str], series: int, frame: Frame
) -> Iterator[DrawnViolation]:
    with np.errstate(invalid="ignore"):
        points = shapely.point_on_surface(geometry)
    bounds = shapely.bounds(geometry)
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    inside = np.column_stack([shapely.get_x(points), shapely.get_y(points)])
    known = np.isfinite(inside).all(axis=1, keepdims=True)
    marks = frame.pixels(np.where(known, inside, middle))
    for shape, label, (x, y) in zip(geometry, labels, marks, strict=True):
        dimension = shapely.get_dimensions(shape)
        path = _path(np.array([shape]), frame) if dimension > 0 else ""
        yield DrawnViolation(path, bool(dimension > 1), float(x), float(y), label, series)


def _path(geometry: NDArray[Any], frame: Frame) -> str:
    """One SVG path of all lines, rings and points of an array, at the resolution of the drawing."""
    shapes = geometry[_placed(geometry)]
    while shapely.get_type_id(shapes).max(initial=0) > 3:
        shapes = shapely.get_parts(shapes)
    types = shapely.get_type_id(shapes)
    rings = shapely.get_rings(shapes[types == 3])
    lines = np.concatenate([rings, shapes[(types == 1) | (types == 2)]])
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    finite = np.isfinite(coordinates).all(axis=1)
    coordinates, index = coordinates[finite], index[finite]
    pieces: list[str] = []
    for line in np.split(frame.pixels(coordinates), np.flatnonzero(np.diff(index)) + 1):
        if not len(line):
            continue
        moved = np.ones(len(line), dtype=bool)
        moved[1:] = (np.abs(np.diff(line, axis=0)) >= 0.1).any(axis=1)
        steps = [f"{x:g} {y:g}" for x, y in line[moved]]
        pieces.append(f"M{'L'.join(steps)}" if len(steps) > 1 else f"M{steps[0]}h.1")
    points = shapely.get_coordinates(shapes[types == 0])
    for x, y in frame.pixels(points[np.isfinite(points).all(axis=1)]):
        pieces.append(f"M{x:g} {y:g}h.1")
    return "".join(pieces)


def _first(violations: AnyViolations, share: int) -> tuple[Violations, Bounds | None]:
    """The first violations with a geometry, and the extent of all of them."""
    firsts: list[Violations] = []
    extents: list[Bounds] = []
    for part in parts_of(violations):
        where = np.flatnonzero(_placed(part.geometry))
        extent = _total(part.geometry[where])
        if extent is not None:
            extents.append(extent)
            firsts.append(part.take(where[: share - sum(map(len, firsts))]))
    if not extents:
        return Violations.none(), None
    every = np.array(extents)
    low, high = every[:, :2].min(axis=0).tolist(), every[:, 2:].max(axis=0).tolist()
    return Violations.concat(firsts), (low[0], low[1], high[0], high[1])


def _placed(geometry: NDArray[Any]) -> NDArray[np.bool_]:
    """True for geometries that lie somewhere."""
    placed: NDArray[np.bool_] = np.isfinite(shapely.bounds(geometry)).all(axis=1)
    return placed


def _total(geometry: NDArray[Any]) -> Bounds | None:
    if not len(geometry):
        return None
    xmin, ymin, xmax, ymax = shapely.total_bounds(geometry).tolist()
    return xmin, ymin, xmax, ymax


def _keys(keys: Sequence[Sequence[Any]]) -> str:
    """``: 08001, 08005``."""
    text = keys_text(keys)
    return f": {text}" if text else ""

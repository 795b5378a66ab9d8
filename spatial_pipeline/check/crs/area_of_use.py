"""The area of use of a CRS in its own coordinates."""

from __future__ import annotations

import numpy as np
import pyproj
from pyproj.exceptions import CRSError, ProjError

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import compare, horizontal
from spatial_pipeline.model.crs.projection import from_degrees, unit_of

EDGE_POINTS = 3601
"""Points on each edge that are projected: a tenth of a degree around the world, with every
quarter of a turn among them, where the circles of polar projections reach farthest."""

SLACK = 1e-9
"""Share of the area's size by which rounding may move coordinates across its edge."""


def degrees(crs: pyproj.CRS) -> Bounds | None:
    """West, south, east, north in Greenwich degrees; west exceeds east across the antimeridian.

    A CRS from a file that names no area (a Shapefile's) gets that of the registered CRS which
    behaves the same; None when there is none.
    """
    for candidate in (crs, horizontal(crs)):
        if candidate.area_of_use is not None:
            return candidate.area_of_use.bounds
    code = horizontal(crs).to_authority(min_confidence=70)
    if code is None:
        return None
    try:
        registered = pyproj.CRS.from_authority(*code)
    except CRSError:
        return None
    if registered.area_of_use is None or compare(horizontal(crs), registered).differences:
        return None
    return registered.area_of_use.bounds


def areas(crs: pyproj.CRS) -> tuple[Bounds, ...]:
    """The area of use as boxes in the coordinates of the CRS: data lies in one of them.

    There is one box, except for a geographic CRS whose area crosses the antimeridian: there
    longitudes may stop at 180°, start at -180°, or run across in either direction.

    Raises:
        RuleError: the area is not known, or cannot be projected.

    """
    box = degrees(crs)
    if box is None:
        msg = f"the area of use of {crs.name} is not known: give bounds"
        raise RuleError(msg)
    west, south, east, north = box
    flat = horizontal(crs)
    if flat.is_geographic and not flat.is_derived and east < west:
        spans = [(west, 180.0), (-180.0, east), (west, east + 360.0), (west - 360.0, east)]
        return tuple(_grown(_box(flat, w, south, e, north)) for w, e in spans)
    return (_grown(_box(flat, west, south, east + 360.0 * (east < west), north)),)


def _box(crs: pyproj.CRS, west: float, south: float, east: float, north: float) -> Bounds:
    steps = np.linspace(0.0, 1.0, EDGE_POINTS)
    lon, lat = west + steps * (east - west), south + steps * (north - south)
    low, high = np.full(EDGE_POINTS, south), np.full(EDGE_POINTS, north)
    left, right = np.full(EDGE_POINTS, west), np.full(EDGE_POINTS, east)
    try:
        x, y = from_degrees(
            crs, np.concatenate([lon, lon, left, right]), np.concatenate([low, high, lat, lat])
        )
    except (ProjError, CRSError) as exc:
        msg = f"the area of use of {crs.name} cannot be projected: {exc}"
        raise RuleError(msg) from exc
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        msg = f"the area of use of {crs.name} cannot be projected as a whole: give bounds"
        raise RuleError(msg)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _grown(box: Bounds) -> Bounds:
    xmin, ymin, xmax, ymax = box
    x, y = (xmax - xmin) * SLACK, (ymax - ymin) * SLACK
    return xmin - x, ymin - y, xmax + x, ymax + y


def swapped(crs: pyproj.CRS, bounds: Bounds) -> str | None:
    """Evidence that x and y of the data are swapped; None without any.

    Reported only where the extent is implausible as it is and plausible when swapped: impossible
    latitudes, or an extent entirely outside the area of use that lies inside it when swapped.
    """
    flat = horizontal(crs)
    xmin, ymin, xmax, ymax = bounds
    if flat.is_geographic and not flat.is_derived:
        quarter = np.pi / 2 / unit_of(flat)
        beyond = abs(ymin + ymax) / 2 > quarter or ymax - ymin > 2 * quarter
        as_latitude = max(abs(xmin), abs(xmax)) <= quarter
        if beyond and as_latitude and max(abs(ymin), abs(ymax)) <= 4 * quarter:
            return f"y runs from {ymin:g} to {ymax:g}, which no latitude does"
    try:
        boxes = areas(crs)
    except RuleError:
        return None
    turned = (ymin, xmin, ymax, xmax)
    if any(_meet(bounds, box) for box in boxes) or not any(_inside(turned, b) for b in boxes):
        return None
    return "the extent misses the area of use of the CRS, and lies in it with x and y swapped"


def _meet(a: Bounds, b: Bounds) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _inside(a: Bounds, b: Bounds) -> bool:
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]

"""Projected positions of sample points, and the difference of two projections."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError

PROJECTION_TOLERANCE = 1e-3
"""Metres that two projections of one point may lie apart: below it they behave the same."""

SAMPLES = 9
"""Points on each side of the grid on which projections are compared."""


def from_degrees(crs: pyproj.CRS, lon: Any, lat: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Converts longitudes and latitudes from Greenwich to x and y of a geographic or projected CRS.

    The degrees are assumed to be on the datum of the CRS: no datum shift is applied.

    Raises:
        ProjError: the projection cannot be set up.

    """
    base = base_crs(crs)
    if base is None:
        msg = f"{crs.name} has no geographic CRS"
        raise ProjError(msg)
    zero = 0.0 if base.prime_meridian is None else in_si(base.prime_meridian, "longitude")
    x, y = (np.radians(lon) - zero) / unit_of(base), np.radians(lat) / unit_of(base)
    if crs.is_geographic and not crs.is_derived:
        return x, y
    transformer = pyproj.Transformer.from_crs(base, crs, always_xy=True)
    there = transformer.transform(x, y)
    return np.asarray(there[0]), np.asarray(there[1])


def unit_of(crs: pyproj.CRS) -> float:
    """Metres or radians in one unit of the horizontal axes."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def projection_differences(a: pyproj.CRS, b: pyproj.CRS, *, same_base: bool) -> Iterator[str]:
    """Differences in the position of the same points, in metres."""
    one, two = a.coordinate_operation, b.coordinate_operation
    if one is None or two is None:
        if one is not two:
            yield f"it is {'not derived' if one is None else 'derived'} from another CRS"
        return
    if not same_base:
        # Both on one datum, so that only the projections are compared.
        a = pyproj.CRS.from_json_dict(
            {**a.to_json_dict(), "base_crs": b.to_json_dict()["base_crs"]}
        )
    apart = _distance_apart(a, b)
    if apart is None:
        if one != two:
            yield f"the projection is {one.method_name}, expected {two.method_name}"
    elif apart > PROJECTION_TOLERANCE:
        if one.method_name != two.method_name:
            yield f"the projection is {one.method_name}, expected {two.method_name}"
        else:
            told = list(_parameters(one, two)) or list(direction_differences(a, b))
            yield from told or [f"projected points lie up to {apart:g} m apart"]


def _distance_apart(a: pyproj.CRS, b: pyproj.CRS) -> float | None:
    """Largest distance in metres between the two projections of sample points; None if unknown."""
    west, south, east, north = _sample_area(a, b)
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
    lon, lat = np.meshgrid(west + steps * (east - west), south + steps * (north - south))
    try:
        here = np.stack(from_degrees(a, lon.ravel(), lat.ravel())) * _metres(a)
        there = np.stack(from_degrees(b, lon.ravel(), lat.ravel())) * _metres(b)
    except (ProjError, CRSError):
        return None
    known = np.isfinite(here).all(axis=0), np.isfinite(there).all(axis=0)
    if not known[0].any() or not known[1].any():
        return None
    if (known[0] != known[1]).any():
        return math.inf
    return float(np.hypot(*(here - there)[:, known[0]]).max())


def _metres(crs: pyproj.CRS) -> float:
    return unit_of(crs) * (6_378_137.0 if crs.is_geographic else 1.0)


def _sample_area(a: pyproj.CRS, b: pyproj.CRS) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees: an area of use, else around the natural origin."""
    for crs in (b, a):
        if crs.area_of_use is not None:
            west, south, east, north = crs.area_of_use.bounds
            return west, south, east + 360.0 * (east < west), north
    origin = {"lon": 0.0, "lat": 0.0}
    for parameter in b.coordinate_operation.params if b.coordinate_operation is not None else ():
        for key, word in (("lon", "longitude"), ("lat", "latitude")):
            if parameter.name.casefold().startswith(word):
                origin[key] = math.degrees(in_si(parameter, "value"))
    lon, lat = origin["lon"], origin["lat"]
    return lon - 3.0, max(lat - 30.0, -89.0), lon + 3.0, min(lat + 30.0, 89.0)


def _parameters(one: Any, two: Any) -> Iterator[str]:
    wanted = {p.name: p for p in two.params}
    for p in one.params:
        q = wanted.get(p.name)
        if q is not None and not math.isclose(
            in_si(p, "value"),
            in_si(q, "value"),
            rel_tol=1e-10,
            abs_tol=1e-12,
        ):
            yield (
                f"{p.name.lower()} is {p.value:.12g} {p.unit_name.lower()}, "
                f"expected {q.value:.12g} {q.unit_name.lower()}"
            )


def axes(crs: pyproj.CRS) -> tuple[str, ...]:
    """Directions of the horizontal axes, in the order of the definition."""
    return tuple(axis.direction for axis in crs.axis_info[:2])


def direction_differences(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    """Differences in the directions of the horizontal axes, ignoring their order."""
    if sorted(axes(a)) != sorted(axes(b)):
        yield f"the axes point {' and '.join(axes(a))}, expected {' and '.join(axes(b))}"


def base_crs(crs: pyproj.CRS) -> pyproj.CRS | None:
    """The geographic CRS that a projected or derived CRS is based on, or the CRS itself."""
    return crs.source_crs if crs.is_derived and crs.is_geographic else crs.geodetic_crs


def in_si(part: Any, name: str) -> float:
    """A prime meridian's or a parameter's value in metres, radians or as a ratio."""
    return float(getattr(part, name)) * float(part.unit_conversion_factor)

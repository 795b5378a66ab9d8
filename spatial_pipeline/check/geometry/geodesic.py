"""Lengths and areas in metres: on the ellipsoid where the coordinates are angles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import horizontal, in_degrees
from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices
from spatial_pipeline.errors import RuleError

POLE = 90.0
"""Degrees of the largest latitude."""


def lengths_in_metres(geometry: NDArray[np.object_], crs: pyproj.CRS | None) -> NDArray[np.float64]:
    """(n,) lengths of lines, or perimeters of polygons, in metres.

    Raises:
        RuleError: there is no CRS, it does not say its unit, or a latitude is beyond a pole.

    """
    if not in_degrees(crs):
        return np.asarray(shapely.length(geometry), dtype=np.float64) * _metres(crs)
    vertices = PathVertices.of(simple_parts(geometry, 1, 2))
    start = vertices.steps
    step = steps_in_metres(vertices.xy[start], vertices.xy[start + 1], crs)
    total = np.bincount(vertices.feature[start], step, len(geometry))
    return total.astype(np.float64)


def steps_in_metres(
    start: NDArray[np.float64], end: NDArray[np.float64], crs: pyproj.CRS | None
) -> NDArray[np.float64]:
    """(n,) distances from (n, 2) places to (n, 2) others, in metres: along geodesics in degrees.

    Raises:
        RuleError: there is no CRS, it does not say its unit, or a latitude is beyond a pole.

    """
    if not in_degrees(crs):
        step = end - start
        return np.asarray(np.hypot(step[:, 0], step[:, 1]) * _metres(crs), dtype=np.float64)
    geod, rate = _ellipsoid(crs)
    (lon, lat), (lon_to, lat_to) = _degrees(start, rate), _degrees(end, rate)
    return np.asarray(geod.inv(lon, lat, lon_to, lat_to)[2], dtype=np.float64)


def areas_in_square_metres(
    geometry: NDArray[np.object_], crs: pyproj.CRS | None
) -> NDArray[np.float64]:
    """(n,) areas of polygons in square metres; edges are geodesics, holes are subtracted.

    By Karney, Algorithms for geodesics (2013), in PROJ's implementation.

    Raises:
        RuleError: there is no CRS, it does not say its unit, or a latitude is beyond a pole.

    """
    if not in_degrees(crs):
        return np.asarray(shapely.area(geometry), dtype=np.float64) * _metres(crs) ** 2
    vertices = PathVertices.of(simple_parts(geometry, 2))
    geod, rate = _ellipsoid(crs)
    lon, lat = _degrees(vertices.xy, rate)
    first = np.flatnonzero(vertices.vertex == 0)
    # PROJ measures one ring at a time; it has no function of arrays of rings.
    size = np.array(
        [
            abs(geod.polygon_area_perimeter(lon[a:b], lat[a:b])[0])
            for a, b in pairwise([*first.tolist(), len(lon)])
        ],
        dtype=np.float64,
    )
    signed = np.where(vertices.ring[first] > 0, -size, size)
    return np.bincount(vertices.feature[first], signed, len(geometry)).astype(np.float64)


def _degrees(
    xy: NDArray[np.float64], rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lon, lat = np.ascontiguousarray(xy[:, 0]) * rate, np.ascontiguousarray(xy[:, 1]) * rate
    if (np.abs(lat) > POLE).any():
        msg = "metres: true: a latitude is beyond 90°; the rule coordinates_in_domain names where"
        raise RuleError(msg)
    return lon, lat


def _metres(crs: pyproj.CRS | None) -> float:
    """Metres in a unit of the coordinates."""
    if crs is None:
        msg = "needs crs: metres: true needs to know the unit of the coordinates"
        raise RuleError(msg)
    axes = horizontal(crs).axis_info
    if not axes or not axes[0].unit_conversion_factor:
        msg = f"metres: true: the CRS {crs.name} does not say how long its unit is"
        raise RuleError(msg)
    return float(axes[0].unit_conversion_factor)


def _ellipsoid(crs: pyproj.CRS | None) -> tuple[pyproj.Geod, float]:
    """The ellipsoid of a geographic CRS, and degrees in a unit of its coordinates."""
    assert crs is not None
    flat = horizontal(crs)
    geod = flat.get_geod()
    if geod is None:
        msg = f"metres: true: the CRS {crs.name} names no ellipsoid"
        raise RuleError(msg)
    return geod, float(np.degrees(flat.axis_info[0].unit_conversion_factor))


__all__ = ["areas_in_square_metres", "lengths_in_metres", "steps_in_metres"]

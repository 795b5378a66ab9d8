"""Whether two CRSs give the same place the same coordinates, whatever they are called.

Datums are compared by PROJ, which knows the aliases of the EPSG registry (``D_WGS_1984``, the
WGS 84 ensemble). Projections are compared by what they do: both are applied to the same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError

PROJECTION_TOLERANCE = 1e-3
"""Metres that two projections of one point may lie apart: below it they behave the same."""

UNIT_TOLERANCE = 1e-8
"""Relative difference of two units: the US survey foot differs from the foot by 2e-6."""

SAMPLES = 9
"""Points on each side of the grid on which projections are compared."""


@dataclass(frozen=True)
class Comparison:
    """What tells two CRSs apart.

    Attributes:
        differences: what makes them behave differently; empty when they behave the same.
        notes: what differs without changing coordinates in a file.

    """

    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Split:
    """A CRS in its parts: horizontal, vertical, and the shift to WGS 84 that is bound to it."""

    horizontal: pyproj.CRS
    vertical: pyproj.CRS | None
    shift: tuple[float, ...] | None


def compare(actual: pyproj.CRS, expected: pyproj.CRS) -> Comparison:
    """How ``actual`` differs from ``expected``.

    Files store x before y whatever the CRS says, so the order of axes is a note and no difference;
    their directions, units, datum, projection and dimensions count. A transformation to WGS 84 that
    is bound to a CRS (TOWGS84) says what becomes of coordinates, not where they are: it counts only
    when both have one, or when it is all that is known about the datum.
    """
    if actual.is_exact_same(expected):
        return Comparison(())
    one, two = _split(actual), _split(expected)
    a, b = one.horizontal, two.horizontal
    if kind(a) != kind(b):
        return Comparison((f"the type is {kind(a)}, expected {kind(b)}",))
    if kind(a) not in {"geographic", "projected", "geocentric"}:
        same = a.equals(b, ignore_axis_order=True)
        return Comparison(() if same else ("the definitions differ",))
    datum = [*_meridian(a, b), *_datum(one, two)]
    projection = list(_projection(a, b, same_base=not datum))
    rest = [*_units(a, b), *_dimensions(a, b), *_vertical(one.vertical, two.vertical)]
    return Comparison((*datum, *projection, *rest), tuple(_notes(one, two)))


def kind(crs: pyproj.CRS) -> str:
    """Geographic, projected, geocentric, or the lower-case name of another type."""
    crs = horizontal(crs)
    if crs.is_projected:
        return "projected"
    if crs.is_geographic:
        return "geographic"
    if crs.is_geocentric:
        return "geocentric"
    return crs.type_name.removesuffix(" CRS").lower()


def horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    """The horizontal part of a CRS, without a transformation that is bound to it."""
    return _split(crs).horizontal


def label(crs: pyproj.CRS) -> str:
    """The name of a CRS with its declared code."""
    code = crs.to_json_dict().get("id")
    return f"{crs.name} ({code['authority']}:{code['code']})" if code else crs.name


def unit_of(crs: pyproj.CRS) -> float:
    """Metres or radians in one unit of the horizontal axes."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def from_degrees(crs: pyproj.CRS, lon: Any, lat: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Greenwich degrees as x and y of a geographic or projected CRS.

    The degrees are taken to be on the datum of the CRS: nothing is shifted.

    Raises:
        ProjError: the projection cannot be set up.

    """
    base = _base(crs)
    if base is None:
        msg = f"{crs.name} has no geographic CRS"
        raise ProjError(msg)
    zero = 0.0 if base.prime_meridian is None else _value(base.prime_meridian, "longitude")
    x, y = (np.radians(lon) - zero) / unit_of(base), np.radians(lat) / unit_of(base)
    if crs.is_geographic and not crs.is_derived:
        return x, y
    transformer = pyproj.Transformer.from_crs(base, crs, always_xy=True)
    there = transformer.transform(x, y)
    return np.asarray(there[0]), np.asarray(there[1])


def _split(crs: pyproj.CRS) -> _Split:
    vertical: pyproj.CRS | None = None
    shift: tuple[float, ...] | None = None
    while crs.is_bound or crs.is_compound:
        if crs.is_bound:
            values = list(crs.coordinate_operation.towgs84) if crs.coordinate_operation else []
            shift = (*values, *[0.0] * (7 - len(values))) if values else shift
            inner = crs.source_crs
        else:
            inner, vertical = crs.sub_crs_list[0], crs.sub_crs_list[1]
        if inner is None:
            break
        crs = inner
    if vertical is not None and vertical.is_bound and vertical.source_crs is not None:
        vertical = vertical.source_crs
    return _Split(crs, vertical, shift)


def _base(crs: pyproj.CRS) -> pyproj.CRS | None:
    """The geographic CRS that a projected or derived CRS is based on, or the CRS itself."""
    return crs.source_crs if crs.is_derived and crs.is_geographic else crs.geodetic_crs


def _meridian(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    one, two = a.prime_meridian, b.prime_meridian
    if one is None or two is None:
        return
    degrees = [math.degrees(_value(m, "longitude")) for m in (one, two)]
    if abs(degrees[0] - degrees[1]) > 1e-7:
        yield (
            f"the prime meridian is {one.name} ({degrees[0]:.9g}°), "
            f"expected {two.name} ({degrees[1]:.9g}°)"
        )


def _datum(one: _Split, two: _Split) -> Iterator[str]:
    a, b = (_datum_only(s) for s in (one, two))
    if a is None or b is None or a.equals(b, ignore_axis_order=True):
        both = one.shift is not None and two.shift is not None
        unknown = all(_unknown(s.horizontal) for s in (one, two))
        if (both or unknown) and one.shift != two.shift:
            yield f"TOWGS84 is {_told(one.shift)}, expected {_told(two.shift)}"
        return
    yield f"the datum is {_datum_name(one.horizontal)}, expected {_datum_name(two.horizontal)}"


def _datum_only(split: _Split) -> pyproj.CRS | None:
    """A geographic CRS in degrees on the datum, with Greenwich as prime meridian."""
    base = _base(split.horizontal)
    if base is None:
        return None
    ellipsoid = base.ellipsoid
    if (
        _unknown(split.horizontal)
        and split.shift is not None
        and not any(split.shift)
        and ellipsoid is not None
        and ellipsoid == pyproj.CRS("OGC:CRS84").ellipsoid
    ):
        # No shift to WGS 84, on its ellipsoid: that is WGS 84, as old PROJ strings write it.
        base = pyproj.CRS("OGC:CRS84")
    given = base.to_json_dict()
    key = "datum_ensemble" if "datum_ensemble" in given else "datum"
    datum = {k: v for k, v in given[key].items() if k != "prime_meridian"}
    template = pyproj.CRS("OGC:CRS84").to_json_dict()
    return pyproj.CRS.from_json_dict(
        {
            "type": "GeographicCRS",
            "name": "datum",
            key: datum,
            "coordinate_system": template["coordinate_system"],
        }
    )


def _value(part: Any, name: str) -> float:
    """A prime meridian's or a parameter's value in metres, radians or as a ratio."""
    return float(getattr(part, name)) * float(part.unit_conversion_factor)


def _unknown(crs: pyproj.CRS) -> bool:
    name = crs.datum.name.casefold().removeprefix("d_") if crs.datum is not None else "unknown"
    return name.startswith(("unknown", "unnamed", "not specified", "not_specified"))


def _datum_name(crs: pyproj.CRS) -> str:
    datum = crs.datum.name if crs.datum is not None else "unknown"
    return f"{datum} (ellipsoid {crs.ellipsoid.name})" if crs.ellipsoid is not None else datum


def _told(shift: tuple[float, ...] | None) -> str:
    return "absent" if shift is None else f"[{', '.join(f'{v:g}' for v in shift)}]"


def _units(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    if not math.isclose(unit_of(a), unit_of(b), rel_tol=UNIT_TOLERANCE):
        yield f"the unit is {a.axis_info[0].unit_name}, expected {b.axis_info[0].unit_name}"


def _dimensions(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    if len(a.axis_info) != len(b.axis_info):
        yield f"it has {len(a.axis_info)} dimensions, expected {len(b.axis_info)}"


def _vertical(a: pyproj.CRS | None, b: pyproj.CRS | None) -> Iterator[str]:
    if a is not None and b is not None:
        if not a.equals(b, ignore_axis_order=True):
            yield f"the vertical CRS is {label(a)}, expected {label(b)}"
    elif a is not None:
        yield f"it has the vertical CRS {label(a)}, expected none"
    elif b is not None:
        yield f"it has no vertical CRS, expected {label(b)}"


def _projection(a: pyproj.CRS, b: pyproj.CRS, *, same_base: bool) -> Iterator[str]:
    """Compares where the same points come to lie, in metres."""
    one, two = a.coordinate_operation, b.coordinate_operation
    if one is None or two is None:
        if one is not two:
            yield f"it is {'not derived' if one is None else 'derived'} from another CRS"
        return
    if not same_base:
        # Compared on one datum, so that the projection is told apart from the datum.
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
            told = list(_parameters(one, two)) or list(_directions(a, b))
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
                origin[key] = math.degrees(_value(parameter, "value"))
    lon, lat = origin["lon"], origin["lat"]
    return lon - 3.0, max(lat - 30.0, -89.0), lon + 3.0, min(lat + 30.0, 89.0)


def _parameters(one: Any, two: Any) -> Iterator[str]:
    wanted = {p.name: p for p in two.params}
    for p in one.params:
        q = wanted.get(p.name)
        if q is not None and not math.isclose(
            _value(p, "value"),
            _value(q, "value"),
            rel_tol=1e-10,
            abs_tol=1e-12,
        ):
            yield (
                f"{p.name.lower()} is {p.value:.12g} {p.unit_name.lower()}, "
                f"expected {q.value:.12g} {q.unit_name.lower()}"
            )


def _axes(crs: pyproj.CRS) -> tuple[str, ...]:
    return tuple(axis.direction for axis in crs.axis_info[:2])


def _directions(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    if sorted(_axes(a)) != sorted(_axes(b)):
        yield f"the axes point {' and '.join(_axes(a))}, expected {' and '.join(_axes(b))}"


def _notes(one: _Split, two: _Split) -> Iterator[str]:
    a, b = _axes(one.horizontal), _axes(two.horizontal)
    if a != b and sorted(a) == sorted(b):
        yield (
            f"the definition orders its axes {', '.join(a)} and not {', '.join(b)}; "
            "files store x before y either way"
        )
    known = not any(_unknown(s.horizontal) for s in (one, two))
    if known and (one.shift is None) != (two.shift is None):
        whose = "declared" if one.shift is not None else "expected"
        yield f"the {whose} CRS is bound to TOWGS84 {_told(one.shift or two.shift)}, not compared"

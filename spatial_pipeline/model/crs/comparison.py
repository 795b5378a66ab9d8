"""Behaviour-based comparison of CRSs: the same coordinates for the same place, names ignored.

Datums are compared by PROJ, which knows the aliases of the EPSG registry (``D_WGS_1984``, the WGS
84 ensemble). Projections are compared by their results: both are applied to the same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.model.crs.projection import (
    axes,
    base_crs,
    direction_differences,
    in_si,
    projection_differences,
    unit_of,
)

UNIT_TOLERANCE = 1e-8
"""Relative difference of two units: the US survey foot differs from the foot by 2e-6."""

REMEMBERED = 512
"""Pairs of definitions whose comparison is cached: one takes tens of milliseconds."""
CONFIDENCE = 70
"""Minimum confidence at which PROJ treats a definition as equal to a registered CRS."""
NO_SHIFT = (0.0,) * 7


@dataclass(frozen=True)
class CrsComparison:
    """Difference of two CRSs.

    Attributes:
        differences: differences in behaviour; empty when they behave the same.
        notes: differences that do not change coordinates in a file.

    """

    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Split:
    """A CRS in its parts: horizontal, vertical, and the shift to WGS 84 that is bound to it.

    The shift is the seven numbers of TOWGS84, or the names of grids.
    """

    horizontal: pyproj.CRS
    vertical: pyproj.CRS | None
    shift: tuple[float | str, ...] | None


def compare(actual: pyproj.CRS, expected: pyproj.CRS) -> CrsComparison:
    """Differences between ``actual`` and ``expected``.

    Files store x before y whatever the CRS says, so axis order is reported as a note, not as a
    difference. Axis directions, units, datum, projection and dimensions count. A transformation to
    WGS 84 that is bound to a CRS (TOWGS84) describes how to convert coordinates, not where they
    are: it counts only when both CRSs have one, or when it is all that is known about the datum. A
    datum that is WGS 84 always counts as having one, of zeros.
    """
    return _compare(actual.srs, expected.srs)


def same(a: pyproj.CRS | None, b: pyproj.CRS | None) -> bool:
    """True when coordinates mean the same in both CRSs, or when there is neither of them."""
    if a is None or b is None:
        return a is b
    return not compare(a, b).differences


def same_horizontally(a: pyproj.CRS | None, b: pyproj.CRS | None) -> bool:
    """True when x and y mean the same in both CRSs; vertical datums are ignored."""
    if a is None or b is None:
        return a is b
    one, two = a.srs, b.srs
    return one == two or not any(_horizontal_differences(one, two))


def same_text(a: str | None, b: str | None) -> bool:
    """:func:`same` for definitions as text; those that are not understood compare as text."""
    if a == b or a is None or b is None:
        return a == b
    try:
        return not _compare(a, b).differences
    except CRSError:
        return False


@lru_cache(maxsize=REMEMBERED)
def _compare(actual: str, expected: str) -> CrsComparison:
    if actual == expected:
        return CrsComparison(())
    one, two = (_split(pyproj.CRS.from_user_input(text)) for text in (actual, expected))
    a, b = one.horizontal, two.horizontal
    differences = list(_horizontal_differences(actual, expected))
    if kind(a) == kind(b):
        differences += [*_dimensions(a, b), *_vertical(one.vertical, two.vertical)]
    return CrsComparison(tuple(differences), () if kind(a) != kind(b) else tuple(_notes(one, two)))


@lru_cache(maxsize=REMEMBERED)
def _horizontal_differences(actual: str, expected: str) -> tuple[str, ...]:
    """Differences of two definitions in the meaning of x and y."""
    one, two = (_split(pyproj.CRS.from_user_input(text)) for text in (actual, expected))
    a, b = one.horizontal, two.horizontal
    if kind(a) != kind(b):
        return (f"the type is {kind(a)}, expected {kind(b)}",)
    if kind(a) not in {"geographic", "projected", "geocentric"}:
        return () if a.equals(b, ignore_axis_order=True) else ("the definitions differ",)
    datum = [*_meridian(a, b), *_datum(one, two)]
    projection = list(projection_differences(a, b, same_base=not datum))
    if kind(a) == "geographic" and not projection:
        projection = list(direction_differences(a, b))
    return (*datum, *projection, *_units(a, b))


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


def authority(crs: pyproj.CRS) -> str | None:
    """``EPSG:32633``: the code of the registered CRS with the same meaning, None without one.

    A shift that changes nothing (see :func:`compare`) does not prevent a match.
    """
    for candidate in (crs, horizontal(crs)):
        code = candidate.to_authority(min_confidence=CONFIDENCE)
        if code is not None and (candidate is crs or same(crs, pyproj.CRS.from_authority(*code))):
            return ":".join(code)
    return None


def _split(crs: pyproj.CRS) -> _Split:
    vertical: pyproj.CRS | None = None
    shift: tuple[float | str, ...] | None = None
    while crs.is_bound or crs.is_compound:
        if crs.is_bound:
            shift = _bound_shift(crs.coordinate_operation) or shift
            inner = crs.source_crs
        else:
            inner, vertical = crs.sub_crs_list[0], crs.sub_crs_list[1]
        if inner is None:
            break
        crs = inner
    if vertical is not None and vertical.is_bound and vertical.source_crs is not None:
        vertical = vertical.source_crs
    return _Split(crs, vertical, shift)


def _bound_shift(operation: Any) -> tuple[float | str, ...]:
    """Shift parameters of a bound CRS; empty when there are none."""
    if operation is None:
        return ()
    values = list(operation.towgs84)
    if values:
        return (*values, *NO_SHIFT[len(values) :])
    return tuple(grid.short_name for grid in operation.grids)


def _meridian(a: pyproj.CRS, b: pyproj.CRS) -> Iterator[str]:
    one, two = a.prime_meridian, b.prime_meridian
    if one is None or two is None:
        return
    degrees = [math.degrees(in_si(m, "longitude")) for m in (one, two)]
    if abs(degrees[0] - degrees[1]) > 1e-7:
        yield (
            f"the prime meridian is {one.name} ({degrees[0]:.9g}°), "
            f"expected {two.name} ({degrees[1]:.9g}°)"
        )


def _datum(one: _Split, two: _Split) -> Iterator[str]:
    a, b = (_datum_only(s) for s in (one, two))
    if a is None or b is None or a.equals(b, ignore_axis_order=True):
        shifts = [NO_SHIFT if s.shift is None and _wgs84(s) else s.shift for s in (one, two)]
        unknown = all(_unknown(s.horizontal) for s in (one, two))
        if (None not in shifts or unknown) and shifts[0] != shifts[1]:
            yield f"TOWGS84 is {_told(shifts[0])}, expected {_told(shifts[1])}"
        return
    yield f"the datum is {_datum_name(one.horizontal)}, expected {_datum_name(two.horizontal)}"


def _wgs84(split: _Split) -> bool:
    """True when the datum is WGS 84; its shift of zeros changes nothing."""
    datum = _datum_only(split)
    return datum is not None and bool(datum.equals(_datum_only(_split(pyproj.CRS("OGC:CRS84")))))


def _datum_only(split: _Split) -> pyproj.CRS | None:
    """A geographic CRS in degrees on the datum, with Greenwich as prime meridian."""
    base = base_crs(split.horizontal)
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


def _unknown(crs: pyproj.CRS) -> bool:
    name = crs.datum.name.casefold().removeprefix("d_") if crs.datum is not None else "unknown"
    return name.startswith(("unknown", "unnamed", "not specified", "not_specified"))


def _datum_name(crs: pyproj.CRS) -> str:
    datum = crs.datum.name if crs.datum is not None else "unknown"
    return f"{datum} (ellipsoid {crs.ellipsoid.name})" if crs.ellipsoid is not None else datum


def _told(shift: tuple[float | str, ...] | None) -> str:
    if shift is None:
        return "absent"
    return f"[{', '.join(v if isinstance(v, str) else f'{v:g}' for v in shift)}]"


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


def _notes(one: _Split, two: _Split) -> Iterator[str]:
    a, b = axes(one.horizontal), axes(two.horizontal)
    if a != b and sorted(a) == sorted(b):
        yield (
            f"the definition orders its axes {', '.join(a)} and not {', '.join(b)}; "
            "files store x before y either way"
        )
    known = not any(_unknown(s.horizontal) for s in (one, two))
    if known and (one.shift is None) != (two.shift is None) and not _wgs84(one):
        whose = "declared" if one.shift is not None else "expected"
        yield f"the {whose} CRS is bound to TOWGS84 {_told(one.shift or two.shift)}, not compared"

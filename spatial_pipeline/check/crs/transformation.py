"""Transformation of geometries between CRSs, and the units of a CRS."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same_horizontally

_UNITS = {"metre": "m", "degree": "°", "foot": "ft", "US survey foot": "ftUS", "kilometre": "km"}


def transformed(
    geometries: NDArray[np.object_], from_crs: pyproj.CRS | None, to_crs: pyproj.CRS | None
) -> tuple[NDArray[np.object_], str]:
    """Transforms geometries to another CRS, x first; returns them and a note on the operation.

    The operation is PROJ's best one for each coordinate, and never a ballpark one. Only vertices
    are moved: the straight line between two of them stays straight in the new CRS. Z is kept as
    it is, M is dropped. Coordinates that cannot be transformed become infinite.

    Args:
        geometries: (n,) geometries or None.
        from_crs: their CRS.
        to_crs: the target CRS.

    Returns:
        (n,) geometries, and a note that names the operation and its accuracy, empty when the two
        CRS are the same.

    Raises:
        RuleError: a CRS is missing, there is no operation between them, or the best one needs a
            grid that is not installed.

    """
    if from_crs is None or to_crs is None:
        msg = "needs crs: a dataset without a CRS cannot be brought into that of another one"
        raise RuleError(msg)
    if same_horizontally(from_crs, to_crs):
        return geometries, ""
    source, target = horizontal(from_crs), horizontal(to_crs)
    operation, note = _operation(source.to_wkt(), target.to_wkt())
    out = np.array(geometries, dtype=object)
    deep = shapely.has_z(out)
    for having_z in (False, True):
        chosen = np.flatnonzero((deep == having_z) & ~shapely.is_missing(out))
        if len(chosen):
            xyz = shapely.get_coordinates(out[chosen], include_z=having_z)
            # NaN and infinity among the coordinates raise floating-point warnings, which are
            # expected.
            with np.errstate(all="ignore"):
                xyz[:, 0], xyz[:, 1] = operation.transform(xyz[:, 0], xyz[:, 1])
                out[chosen] = shapely.set_coordinates(out[chosen].copy(), xyz)
    return out, note


def operation_note(from_crs: pyproj.CRS | None, to_crs: pyproj.CRS | None) -> str:
    """The note of :func:`transformed`, empty when nothing needs to be transformed.

    Raises:
        RuleError: see there.

    """
    return transformed(np.empty(0, dtype=object), from_crs, to_crs)[1]


def length_unit(crs: pyproj.CRS | None) -> str:
    """Symbol of the unit of the coordinates, empty when there is no CRS."""
    if crs is None:
        return ""
    axes = horizontal(crs).axis_info
    return _UNITS.get(axes[0].unit_name, axes[0].unit_name) if axes else ""


def area_unit(crs: pyproj.CRS | None) -> str:
    """Symbol of the squared unit of the coordinates, empty when there is no CRS."""
    unit = length_unit(crs)
    return f"{unit}²" if unit else ""


def in_degrees(crs: pyproj.CRS | None) -> bool:
    """True when the coordinates are angles."""
    return crs is not None and horizontal(crs).is_geographic


def horizontal(crs: pyproj.CRS) -> pyproj.CRS:
    """The horizontal component of a CRS."""
    if crs.is_compound:
        return crs.sub_crs_list[0]
    return crs.to_2d() if len(crs.axis_info) > 2 and not crs.is_geocentric else crs


@lru_cache(maxsize=64)
def _operation(source: str, target: str) -> tuple[pyproj.Transformer, str]:
    """The transformer between two CRS given as WKT, and its note.

    Raises:
        RuleError: see :func:`transformed`.

    """
    start, end = pyproj.CRS(source), pyproj.CRS(target)
    names = f"from {start.name} to {end.name}"
    try:
        group = TransformerGroup(start, end, always_xy=True, allow_ballpark=False)
        transformer = pyproj.Transformer.from_crs(
            start, end, always_xy=True, allow_ballpark=False, only_best=True
        )
    except ProjError as exc:
        msg = f"no transformation {names}: {' '.join(str(exc).split())}"
        raise RuleError(msg) from exc
    except UserWarning as exc:
        # PROJ's warnings are errors here, even where warnings are errors already.
        raise RuleError(_needs_grid(names, re.findall(r"short_name=([^,)]+)", str(exc)))) from exc
    if not group.best_available:
        lacking = [g.short_name for o in group.unavailable_operations[:1] for g in o.grids]
        raise RuleError(_needs_grid(names, lacking))
    if not group.transformers:
        msg = f"no transformation {names} that is better than a ballpark one"
        raise RuleError(msg)
    return transformer, f"transformed {names} {_accuracy(group)}, vertex by vertex"


def _needs_grid(names: str, grids: list[str]) -> str:
    return (
        f"the best transformation {names} needs a grid that is not installed: "
        f"{', '.join(grids) or 'unknown'}; projsync installs it"
    )


def _accuracy(group: TransformerGroup) -> str:
    known = sorted({f"{t.accuracy:g}" for t in group.transformers if t.accuracy >= 0}, key=float)
    accuracy = (
        f"accuracy {' to '.join(known[:1] + known[1:][-1:])} m" if known else "accuracy unknown"
    )
    if len(group.transformers) == 1:
        return f"by {group.transformers[0].description} ({accuracy})"
    return f"by the best of {len(group.transformers)} operations at each place ({accuracy})"


__all__ = ["area_unit", "horizontal", "in_degrees", "length_unit", "transformed"]

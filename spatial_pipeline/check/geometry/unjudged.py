"""Geometries that cannot be checked: detection, reasons and notes."""

from __future__ import annotations

import re
from collections import Counter
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.model.wkb import MAX_NESTING, too_deep

NULL = "null geometry"

EMPTY = "empty geometry"

UNDECODABLE = "geometry that does not decode"

NOT_FINITE = "geometry with NaN or infinite coordinates"

SCRIBBLE = "geometry that crosses itself too often: only its first defect is listed"

INVALID = "invalid geometry"

OF_KIND = ("point feature", "line feature", "polygon feature", "geometry collection")
"""Features without a part of the dimension that a rule checks, by their dimension."""

WITHOUT_Z = "geometry without Z"

WITHOUT_M = "geometry without M"

THREE_D = "geometry with Z or M, judged in the XY plane"

NO_VALUE = "line with vertices where the raster has no value: judged by its others"

OTHERS_LEFT = "of the other dataset not judged"

_PLURALS = {
    NULL: "null geometries",
    EMPTY: "empty geometries",
    UNDECODABLE: "geometries that do not decode",
    NOT_FINITE: "geometries with NaN or infinite coordinates",
    INVALID: "invalid geometries",
    **{kind: f"{kind}s" for kind in OF_KIND},
    WITHOUT_Z: "geometries without Z",
    WITHOUT_M: "geometries without M",
    SCRIBBLE: "geometries that cross themselves too often: only their first defects are listed",
    THREE_D: "geometries with Z or M, judged in the XY plane",
    NO_VALUE: "lines with vertices where the raster has no value: judged by their others",
}

SUMMARY_SIZE = 3
"""Reasons that a message names."""

NO_GEOMETRY = "needs geometry: the source has no geometry column"


def require_geometry(profile: Profile) -> None:
    """Refuses data without a geometry column.

    Raises:
        RuleError: the source has no geometry column.

    """
    if isinstance(profile, VectorProfile) and profile.geometry_column is None:
        raise RuleError(NO_GEOMETRY)


def undecodable(batch: FeatureBatch, profile: Profile) -> NDArray[np.bool_]:
    """(n,) bool: geometries that are present but do not decode, here or during ingest."""
    absent = shapely.is_missing(batch.geometry)
    if batch.wkb is None or not absent.any():
        return np.zeros(len(batch), dtype=bool)
    stored = np.asarray(batch.wkb.is_valid())
    lost = profile.undecodable if isinstance(profile, VectorProfile) else ()
    if lost:
        stored = stored | np.isin(batch.rows, np.asarray(lost, dtype=np.int64))
    return cast("NDArray[np.bool_]", absent & stored)


def stored(batch: FeatureBatch, place: int) -> bytes | None:
    """The WKB of a feature as it is staged, None when it has none."""
    wkb = None if batch.wkb is None else batch.wkb[place].as_py()
    return None if wkb is None else bytes(wkb)


def decoding_error(wkb: bytes | None) -> str:
    """Reason why a geometry does not decode, in one line."""
    if wkb is None:
        return "the record is damaged or its geometry type is not supported"
    if len(too_deep(np.array([wkb], dtype=object), np.array([len(wkb)]))):
        return f"nests geometries more than {MAX_NESTING} deep"
    try:
        with np.errstate(all="ignore"):
            shapely.from_wkb(wkb)
    except (shapely.GEOSException, NotImplementedError, TypeError) as exc:
        return re.sub(r"^\w+Exception: ", "", " ".join(str(exc).split()))
    return "unknown"


def summary(violations: Violations, taken: Counter[str] | None = None) -> str:
    """Reasons of the violations with their counts, the most frequent ones first.

    Args:
        violations: those in memory.
        taken: reasons of those in files.

    """
    counts = Counter(violations.reasons.tolist()) + (taken or Counter())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{n} × {reason}" for reason, n in ordered[:SUMMARY_SIZE]]
    more = len(ordered) - len(told)
    return ", ".join([*told, f"and {more} more"] if more else told)


def notes(said: Counter[str], ending: str = "not judged") -> tuple[str, ...]:
    """One sentence for each kind of geometry to mention in a note."""
    return tuple(
        f"{n} {kind if n == 1 else _PLURALS[kind]}"
        + ("" if kind in {SCRIBBLE, THREE_D, NO_VALUE} else f" {ending}")
        for kind in _PLURALS
        if (n := said[kind])
    )

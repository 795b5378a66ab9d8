"""What checks of single features have in common: what is judged, what is not, and where it lies."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck
from spatial_pipeline.check.incremental.feature_cache import (
    DEEP,
    PLAIN,
    UNKNOWN,
    Facts,
    Remembering,
)
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.result import Findings, Outcome
from spatial_pipeline.model.version import Profile, VectorProfile
from spatial_pipeline.model.wkb import MAX_NESTING, too_deep

R = TypeVar("R", bound=Rule)

NULL = "null geometry"
EMPTY = "empty geometry"
UNDECODABLE = "geometry that does not decode"
NOT_FINITE = "geometry with NaN or infinite coordinates"
SCRIBBLE = "geometry that crosses itself too often: only its first defect is listed"
THREE_D = "geometry with Z or M, judged in the XY plane"
_PLURALS = {
    NULL: "null geometries",
    EMPTY: "empty geometries",
    UNDECODABLE: "geometries that do not decode",
    NOT_FINITE: "geometries with NaN or infinite coordinates",
    SCRIBBLE: "geometries that cross themselves too often: only their first defects are listed",
    THREE_D: "geometries with Z or M, judged in the XY plane",
}

SUMMARY_SIZE = 3
"""Reasons that a message names."""


@dataclass(frozen=True)
class Judged:
    """Partial result of one batch.

    Attributes:
        checked: features judged.
        findings: violations among them.
        said: how many features each note is about.
        taken: how often each reason is in violations that were taken out.

    """

    checked: int
    findings: Findings
    said: Counter[str]
    taken: Counter[str] = field(default_factory=Counter)


class GeometryCheck(BatchCheck[R], Remembering):
    """A feature check that says how many geometries it could not judge.

    Each feature is judged by its geometry alone, so those without a violation need no second look.
    """

    notes_depth: ClassVar[bool] = False
    """True when every geometry with Z or M is noted."""

    @abstractmethod
    def judge(self, batch: FeatureBatch) -> Judged:
        """Violations of the geometries of this batch."""

    def map(self, batch: FeatureBatch) -> Judged:
        """The partial result of one batch.

        Raises:
            RuleError: the source has no geometry column.

        """
        if batch.wkb is None:
            raise RuleError(NO_GEOMETRY)
        return self.judge(batch)

    def findings_of(self, partial: Judged) -> Findings:
        """The violations."""
        return partial.findings

    def without_findings(self, partial: Judged) -> Judged:
        """What was judged and said, and the reasons."""
        taken = partial.taken + Counter(partial.findings.reasons.tolist())
        return replace(partial, findings=Findings.none(), taken=taken)

    def reduce(self, partials: Sequence[Judged]) -> Outcome:
        """All violations, and what was not judged.

        Raises:
            RuleError: the source has no geometry column.

        """
        require_geometry(self.context.data.profile)
        findings = Findings.concat(p.findings for p in partials)
        return Outcome(
            checked=sum(p.checked for p in partials),
            findings=findings,
            message=summary(findings, sum((p.taken for p in partials), Counter())),
            notes=notes(sum((p.said for p in partials), Counter())),
        )

    def facts(self, batch: FeatureBatch, partial: Judged) -> Facts:
        """Which features were counted, and nothing else said of them but that they are 3D."""
        geometry = batch.geometry
        deep = shapely.has_z(geometry) | shapely.has_m(geometry)
        classes = np.where(deep, DEEP, PLAIN).astype(np.uint8)
        classes[shapely.is_missing(geometry) | shapely.is_empty(geometry)] = UNKNOWN
        classes[np.isin(batch.rows, partial.findings.rows)] = UNKNOWN
        return Facts(classes)

    def recalled(self, partial: Judged, positions: NDArray[np.int64], facts: Facts) -> Judged:
        """The features were counted and the deep ones are noted where this check does so."""
        deep = int((facts.classes == DEEP).sum()) if self.notes_depth else 0
        said = partial.said + Counter({THREE_D: deep}) if deep else partial.said
        return replace(partial, checked=partial.checked + len(positions), said=said)


NO_GEOMETRY = "needs geometry: the source has no geometry column"


def require_geometry(profile: Profile) -> None:
    """Refuses data without a geometry column.

    Raises:
        RuleError: there is none.

    """
    if isinstance(profile, VectorProfile) and profile.geometry_column is None:
        raise RuleError(NO_GEOMETRY)


def undecodable(batch: FeatureBatch, profile: Profile) -> NDArray[np.bool_]:
    """(n,) bool: geometries that are there but do not decode, here or when the source was read."""
    absent = shapely.is_missing(batch.geometry)
    if batch.wkb is None or not absent.any():
        return np.zeros(len(batch), dtype=bool)
    stored = np.asarray(batch.wkb.is_valid())
    lost = profile.undecodable if isinstance(profile, VectorProfile) else ()
    if lost:
        stored = stored | np.isin(batch.rows, np.asarray(lost, dtype=np.int64))
    return cast("NDArray[np.bool_]", absent & stored)


def decoding_error(wkb: bytes | None) -> str:
    """Why a geometry does not decode, in one line."""
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


def summary(findings: Findings, taken: Counter[str] | None = None) -> str:
    """How often each reason was found, the most frequent ones first.

    Args:
        findings: violations in memory.
        taken: reasons of those that are not.

    """
    counts = Counter(findings.reasons.tolist()) + (taken or Counter())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{n} × {reason}" for reason, n in ordered[:SUMMARY_SIZE]]
    more = len(ordered) - len(told)
    return ", ".join([*told, f"and {more} more"] if more else told)


def notes(said: Counter[str], ending: str = "not judged") -> tuple[str, ...]:
    """One sentence for each kind of geometry that must be spoken of."""
    return tuple(
        f"{n} {kind if n == 1 else _PLURALS[kind]}"
        + ("" if kind in {SCRIBBLE, THREE_D} else f" {ending}")
        for kind in _PLURALS
        if (n := said[kind])
    )


def places(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) a point on each geometry, None where there is none to name.

    The point lies inside polygons where GEOS can find it, else on the first finite vertex.
    """
    points = np.full(len(geometry), None, dtype=object)
    filled = np.flatnonzero(~shapely.is_missing(geometry) & ~shapely.is_empty(geometry))
    if not len(filled):
        return points
    flat = shapely.force_2d(geometry[filled])
    coordinates, index = shapely.get_coordinates(flat, return_index=True)
    finite = np.isfinite(coordinates).all(axis=1)
    with_vertex, first = np.unique(index[finite], return_index=True)
    points[filled[with_vertex]] = shapely.points(coordinates[finite][first])
    whole = np.setdiff1d(np.arange(len(filled)), index[~finite])
    with np.errstate(all="ignore"):
        try:
            inner = shapely.point_on_surface(flat[whole])
        except shapely.GEOSException:
            return points
    good = ~shapely.is_empty(inner)
    points[filled[whole[good]]] = inner[good]
    return points

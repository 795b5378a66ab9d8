"""Check of single geometries: base class with counts, notes and the feature cache."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Check
from spatial_pipeline.check.crs.transformation import in_degrees
from spatial_pipeline.check.geometry.unjudged import (
    NO_GEOMETRY,
    THREE_D,
    notes,
    require_geometry,
    summary,
)
from spatial_pipeline.check.incremental.feature_cache import (
    DEEP,
    PLAIN,
    UNKNOWN,
    Facts,
    Remembering,
)
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.base import MEASURES
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome, Violations

R = TypeVar("R", bound=Rule)


@dataclass(frozen=True)
class Judged:
    """Partial result of one batch.

    Attributes:
        checked: features checked.
        violations: those among them.
        said: number of features for each note.
        taken: number of violations for each reason, of those moved to files.

    """

    checked: int
    violations: Violations
    said: Counter[str]
    taken: Counter[str] = field(default_factory=Counter)


class JudgingCheck(Check[R], Remembering):
    """A check whose partial result is :class:`Judged`: counts, notes and the feature cache.

    Violations of a feature depend on its geometry alone or, with a reach, on those around it; so
    unchanged features without a violation are not checked again.
    """

    notes_depth: ClassVar[bool] = False
    """True when every geometry with Z or M is noted."""

    def violations_of(self, partial: Judged) -> Violations:
        """The violations."""
        return partial.violations

    def without_violations(self, partial: Judged) -> Judged:
        """The counts and notes, and the reasons of the violations."""
        taken = partial.taken + Counter(partial.violations.reasons.tolist())
        return replace(partial, violations=Violations.none(), taken=taken)

    def reduce(self, partials: Sequence[Judged]) -> RuleOutcome:
        """All violations, and notes on excluded features.

        Raises:
            RuleError: the source has no geometry column.

        """
        require_geometry(self.context.data.profile)
        violations = Violations.concat(p.violations for p in partials)
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=violations,
            message=summary(violations, sum((p.taken for p in partials), Counter())),
            notes=notes(sum((p.said for p in partials), Counter())),
        )

    def facts(self, batch: FeatureBatch, partial: Judged) -> Facts:
        """Classes of the features: counted, without other notes than that they are 3D."""
        geometry = batch.geometry
        deep = shapely.has_z(geometry) | shapely.has_m(geometry)
        classes = np.where(deep, DEEP, PLAIN).astype(np.uint8)
        classes[shapely.is_missing(geometry) | shapely.is_empty(geometry)] = UNKNOWN
        classes[np.isin(batch.rows, partial.violations.rows)] = UNKNOWN
        return Facts(classes)

    def recalled(self, partial: Judged, positions: NDArray[np.int64], facts: Facts) -> Judged:
        """The features were counted and the deep ones are noted where this check does so."""
        deep = int((facts.classes == DEEP).sum()) if self.notes_depth else 0
        said = partial.said + Counter({THREE_D: deep}) if deep else partial.said
        return replace(partial, checked=partial.checked + len(positions), said=said)


class GeometryCheck(JudgingCheck[R], BatchCheck[R]):
    """A check of each feature by its geometry alone."""

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


def with_degrees(outcome: RuleOutcome, rule: Rule, profile: Profile) -> RuleOutcome:
    """The outcome with a note that names the lengths and areas of the rule that are angles."""
    degrees = in_degrees(getattr(profile, "pyproj_crs", None))
    if not degrees or not measures(rule) or getattr(rule, "metres", False):
        return outcome
    return replace(outcome, notes=(*outcome.notes, f"{', '.join(measures(rule))} in degrees"))


def measures(rule: Rule) -> list[str]:
    """Names of the parameters that are lengths or areas and that are set."""
    return [
        name
        for name, info in type(rule).model_fields.items()
        if any(m in MEASURES for m in info.metadata if isinstance(m, str))
        and getattr(rule, name) not in (None, 0, 0.0)
    ]

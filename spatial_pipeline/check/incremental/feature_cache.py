"""Feature cache: facts about unchanged features, so that the next check costs what changed.

A check that opts in stores for every checked feature a class (``PLAIN``: counted, with nothing to
report; 0: must be checked again) and optionally some numbers. The next check reuses these facts for
every feature whose geometry is byte-identical; it evaluates all others, and all of class 0. So
violations are never carried over: every feature with something to report is evaluated again, by the
same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.boxes import meeting
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.runtime.hashing import fingerprint

UNKNOWN, PLAIN, DEEP = 0, 1, 2
"""Classes of features: deep ones are plain ones with Z or M. Checks may define more classes."""
AGAIN, NEAR = 64, 128
"""Flags added to a class: the feature must be checked all the same.

``AGAIN``: because of itself (there is something to report). ``NEAR``: because a feature within
reach came, went or changed.
"""
WORTH = 0.25
"""Share of features to check above which a neighbour check evaluates all of them."""

ABOUT_RESULTS = frozenset(
    {
        "name",
        "severity",
        "max_violations",
        "max_fraction",
        "warn_at",
        "error_at",
        "where",
        "timeout_s",
        "except_",
        "only_within",
        "except_keys",
        "baseline",
    }
)
"""Parameters of a rule that do not change its result for a single feature."""


Places = NDArray[np.int64] | slice
"""Distinct places of features; those of a piece are consecutive."""


@dataclass(frozen=True)
class Facts:
    """Facts about n features.

    Attributes:
        classes: (n,) uint8; 0 where the feature must be checked.
        numbers: name → (n,) array of numbers; undefined where the class is 0.
        extras: name → array about the version as a whole.
        changed: (k, 4) boxes of features that came, went or changed since.

    """

    classes: NDArray[np.uint8]
    numbers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    changed: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))

    def __len__(self) -> int:
        return len(self.classes)

    def take(self, index: Any) -> Self:
        """The facts at ``index`` (integers or a boolean mask)."""
        numbers = {name: values[index] for name, values in self.numbers.items()}
        return replace(self, classes=self.classes[index], numbers=numbers)

    def without(self, index: Any) -> Self:
        """The same facts, with the features at ``index`` set to unknown."""
        classes = self.classes.copy()
        classes[index] = UNKNOWN
        return replace(self, classes=classes)

    def only(self, index: NDArray[np.int64]) -> Self:
        """The same facts, with all other features than those at ``index`` set to unknown."""
        others = np.ones(len(self), dtype=bool)
        others[index] = False
        return self.without(others) if others.any() else self

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """(n,) the classes without the flags of features that must be checked again."""
        return self.classes % np.uint8(AGAIN)

    @property
    def looked(self) -> NDArray[np.bool_]:
        """(n,) bool: features that must be checked, because of themselves or of neighbours."""
        return np.asarray((self.classes == UNKNOWN) | (self.classes >= AGAIN))

    @classmethod
    def joined(cls, count: int, parts: Sequence[tuple[Places, Facts]]) -> Self:
        """Facts of ``count`` features from those of subsets, and their places."""
        classes = np.zeros(count, dtype=np.uint8)
        numbers: dict[str, NDArray[Any]] = {}
        for places, facts in parts:
            classes[places] = facts.classes
            for name, values in facts.numbers.items():
                if name not in numbers:
                    numbers[name] = np.zeros(count, dtype=values.dtype)
                numbers[name][places] = values
        return cls(classes, numbers)


class History(Protocol):
    """The results that checks of earlier versions of the dataset have stored."""

    def recall(self, name: str, wording: str, reach: float | None) -> Facts | None:
        """Facts of all features of the version under check, by staged position.

        Args:
            name: name of the check.
            wording: cache key of the rule; see :func:`wording`.
            reach: features whose box is within this distance (units of the CRS) of the box of one
                that came, went or changed must be checked; None when neighbours do not matter.

        """

    def keep(self, name: str, wording: str, facts: Facts) -> None:
        """Stores facts for the next version."""


class Remembering(ABC):
    """Mix-in for checks whose facts about unchanged features can be reused.

    The facts of a feature may depend on the bytes of its geometry, on the rule, on the CRS and on
    what :meth:`depends` returns; with a :meth:`reach`, also on the geometries around it.
    """

    extras: ClassVar[tuple[str, ...]] = ()
    """Names of ``Facts.extras`` that are required for using the facts."""

    def depends(self) -> Sequence[Any] | None:
        """Other inputs of the facts; None disables the cache."""
        return ()

    def reach(self) -> float | None:
        """Distance of boxes beyond which features are independent; None when they always are."""
        return None

    @abstractmethod
    def facts(self, batch: FeatureBatch, partial: Any) -> Facts:
        """The facts about the features of a batch, from its partial result."""

    def finished(self, facts: Facts, named: NDArray[np.int64]) -> Facts:
        """The facts to store when the outcome is known.

        Args:
            facts: facts of all features of the version.
            named: staged positions of those in a violation.

        """
        return facts.without(named)

    @abstractmethod
    def recalled(self, partial: Any, positions: NDArray[np.int64], facts: Facts) -> Any:
        """Adds features that were not checked again to a partial result.

        Args:
            partial: partial result of the features that were checked.
            positions: (n,) staged positions of the features to add.
            facts: of those features, none of them of class 0.

        """


class NeighbourCheck(Remembering):
    """A neighbour check that knows which features it sees because of neighbours only."""

    def begin(self, known: Facts) -> None:
        """Called once before the first piece is evaluated.

        Args:
            known: facts of all features of the version.

        """

    @abstractmethod
    def look(self, batch: FeatureBatch, known: NDArray[np.uint8]) -> Any:
        """The partial result of features, some of which are present because of neighbours only.

        Args:
            batch: the features.
            known: (n,) their classes in the earlier version; 0 for those that are new or had
                something to report.

        """


@dataclass
class FeatureCache:
    """The facts that the evaluation of a rule reads from the cache and adds to it.

    Attributes:
        wording: cache key of the rule.
        known: facts of all features of the version by position; None without a cache.
        fresh: places and facts by number of the piece.

    """

    wording: str
    known: Facts | None = None
    fresh: dict[int, tuple[Places, Facts]] = field(default_factory=dict)

    def unknown(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: features that must be checked."""
        if self.known is None:
            return np.ones(len(positions), dtype=bool)
        return Facts(self.known.classes[positions]).looked

    def learn(
        self,
        index: int,
        positions: NDArray[np.int64],
        seen: NDArray[np.int64],
        facts: Facts,
    ) -> None:
        """Adds the present facts about piece ``index``.

        Args:
            index: number of the piece.
            positions: (n,) staged positions of its features.
            seen: (k,) places in the piece of those that were checked.
            facts: of these.

        """
        n = len(positions)
        parts: list[tuple[Places, Facts]] = [(seen, facts)]
        if self.known is not None:
            parts.insert(0, (slice(n), self.known.take(positions)))
        at: Places = positions
        if n and positions[-1] - positions[0] == n - 1:
            at = slice(int(positions[0]), int(positions[0]) + n)
        self.fresh[index] = at, Facts.joined(n, parts)

    def whole(self, count: int) -> Facts:
        """The facts about all features now; called once."""
        whole = Facts.joined(count, list(self.fresh.values()))
        self.fresh.clear()
        return whole


def wording(rule: Rule, check: Any, data: Reader, others: Sequence[Reader]) -> str | None:
    """The cache key of a rule's facts; None when they cannot be cached.

    Args:
        rule: the rule.
        check: its check.
        data: the version under check.
        others: readers of the other datasets.

    """
    profile = data.profile
    if not isinstance(check, Remembering) or not isinstance(profile, VectorProfile):
        return None
    depends = check.depends()
    # A condition, and not geometry alone, decides which neighbours a feature has.
    alone = check.reach() is None or rule.where is None
    if depends is None or not alone or profile.geometry_column is None:
        return None
    return fingerprint(
        rule.model_dump(mode="json", exclude=set(ABOUT_RESULTS)),
        profile.crs,
        [o.version_id for o in others],
        check.reach(),
        list(depends),
    )


@dataclass(frozen=True)
class Changes:
    """Differences between two versions.

    Attributes:
        boxes: (k, 4) boxes of features that came, went or changed.
        near: (n,) bool: features of the later version within reach of one of them.

    """

    boxes: NDArray[np.float64]
    near: NDArray[np.bool_]


def changes(
    match: NDArray[np.int64],
    bounds: NDArray[np.float64],
    gone: NDArray[np.float64],
    reach: float,
) -> Changes:
    """Compares two versions.

    Args:
        match: (n,) for each feature the earlier one with the same geometry, -1 for none.
        bounds: (n, 4) boxes of the later version.
        gone: (m, 4) boxes of the features that only the earlier version has.
        reach: see :meth:`History.recall`.

    """
    boxes = np.concatenate([bounds[match < 0], gone])
    return Changes(boxes, meeting(bounds, boxes, reach))


def carried(facts: Facts, match: NDArray[np.int64], where: Changes | None) -> Facts | None:
    """Maps the facts of an earlier version to this one; None when there are too few.

    Args:
        facts: of the earlier version.
        match: (n,) for each feature the earlier one with the same geometry, -1 for none.
        where: where the versions differ; None when neighbours do not matter.

    """
    if not len(facts):
        return Facts.joined(len(match), ())
    now = facts.take(match).without(match < 0)
    if where is None:
        return now
    classes = now.classes.copy()
    classes[(classes != UNKNOWN) & where.near] |= np.uint8(NEAR)
    few = np.count_nonzero(classes == UNKNOWN) > WORTH * len(classes)
    return None if few else replace(now, classes=classes, changed=where.boxes)


__all__ = [
    "AGAIN",
    "DEEP",
    "NEAR",
    "PLAIN",
    "UNKNOWN",
    "Facts",
    "FeatureCache",
    "History",
    "NeighbourCheck",
    "Remembering",
    "carried",
    "changes",
    "wording",
]

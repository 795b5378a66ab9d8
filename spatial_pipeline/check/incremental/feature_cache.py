"""What a check remembers of the features of a version, so that the next one costs what changed.

A check that opts in says of every feature that it has looked at what it needs to know of it another
time: a class (``PLAIN``: counted, nothing to be said of it; 0: to be looked at again) and perhaps
some numbers. In the next version those facts are recalled for every feature whose geometry is the
same byte by byte; all others, and all of class 0, are looked at. So violations are never carried
over: whatever has something to be said of it is evaluated anew, by the same code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.boxes import meeting
from spatial_pipeline.check.incremental.piece_cache import Answers, Batches
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.runtime.hashing import fingerprint

UNKNOWN, PLAIN, DEEP = 0, 1, 2
"""Classes of features: deep ones are plain ones with Z or M. Checks may have classes of their own.
"""
AGAIN, NEAR = 64, 128
"""Added to a class: the feature is to be looked at all the same, because of itself (something is to
be said of it), or because one within reach came, went or changed."""
WORTH = 0.25
"""Share of features to be looked at above which a check of neighbours looks at all of them."""

ABOUT_RESULTS = frozenset(
    {
        "name",
        "severity",
        "max_violations",
        "max_fraction",
        "where",
        "timeout_s",
        "except_",
        "except_keys",
        "baseline",
    }
)
"""Parameters of a rule that do not change what it finds of a feature that it looks at."""


Places = NDArray[np.int64] | slice
"""Distinct places of features; those of a piece follow each other."""


@dataclass(frozen=True)
class Facts:
    """What a check knows of n features.

    Attributes:
        classes: (n,) uint8; 0 where nothing is known.
        numbers: name → (n,) array of numbers; mean nothing where nothing is known.
        extras: name → array about the version as a whole.
        changed: (k, 4) boxes of what came, went or changed since.

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
        """The same, nothing known at ``index``."""
        classes = self.classes.copy()
        classes[index] = UNKNOWN
        return replace(self, classes=classes)

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """(n,) the classes, whether the features are to be looked at again or not."""
        return self.classes % np.uint8(AGAIN)

    @property
    def looked(self) -> NDArray[np.bool_]:
        """(n,) bool: features that are to be looked at, because of themselves or of others."""
        return np.asarray((self.classes == UNKNOWN) | (self.classes >= AGAIN))

    @classmethod
    def joined(cls, count: int, parts: Sequence[tuple[Places, Facts]]) -> Self:
        """Facts of ``count`` features from those of some of them, and their places."""
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
    """What checks of earlier versions of the dataset have left behind."""

    def recall(self, name: str, wording: str, reach: float | None) -> Facts | None:
        """Facts of all features of the version under check, by staged position.

        Args:
            name: name of the check.
            wording: says what was asked; other wordings have other facts.
            reach: features whose box comes so near (units of the CRS) to the box of one that came,
                went or changed are to be looked at; None when others do not matter.

        """

    def keep(self, name: str, wording: str, facts: Facts) -> None:
        """Leaves facts behind for the next version."""

    def batches(self) -> Batches | None:
        """The batches of the version under check; None when it cannot be read."""

    def keep_batches(self) -> None:
        """Leaves behind which batches were looked at, all of them readable."""

    def answers(self, name: str, wording: str) -> Answers:
        """What a check answered about the pieces of an earlier version.

        Args:
            name: name of the check.
            wording: says what was asked.

        """

    def keep_answers(self, name: str, wording: str, answers: Answers) -> None:
        """Leaves answers behind for the next version."""


class Remembering(ABC):
    """What a check adds to its class to be evaluated where something changed only.

    The facts of a feature may depend on the bytes of its geometry, on the rule, on the CRS and on
    what :meth:`depends` returns; with a :meth:`reach`, also on the geometries around it.
    """

    extras: ClassVar[tuple[str, ...]] = ()
    """Names of ``Facts.extras`` without which nothing is known."""

    def depends(self) -> Sequence[Any] | None:
        """What else the facts depend on; None when nothing can be remembered."""
        return ()

    def reach(self) -> float | None:
        """Distance of boxes from which on features do not matter to each other; None for never."""
        return None

    @abstractmethod
    def facts(self, batch: FeatureBatch, partial: Any) -> Facts:
        """What is known of the features of a batch by its partial result."""

    def finished(self, facts: Facts, named: NDArray[np.int64]) -> Facts:
        """What is left behind when the outcome is known.

        Args:
            facts: of all features of the version.
            named: staged positions of those in a violation.

        """
        return facts.without(named)

    @abstractmethod
    def recalled(self, partial: Any, positions: NDArray[np.int64], facts: Facts) -> Any:
        """A partial result with features added that were not looked at.

        Args:
            partial: of the others.
            positions: (n,) their staged positions.
            facts: of those features, none of them of class 0.

        """


class NeighbourCheck(Remembering):
    """A check of batches that is told which features it gets to see because of others only."""

    def begin(self, known: Facts) -> None:
        """Called once before pieces are looked at.

        Args:
            known: facts of all features of the version.

        """

    @abstractmethod
    def look(self, batch: FeatureBatch, known: NDArray[np.uint8]) -> Any:
        """The partial result of features some of which are there because of others only.

        Args:
            batch: the features.
            known: (n,) their classes in the earlier version; 0 for those that were not there, or
                of which something was to be said.

        """


@dataclass
class FeatureCache:
    """What the evaluation of a rule recalls, and what it leaves behind.

    Attributes:
        wording: says what is asked.
        known: facts of all features of the version by position; None when nothing is known.
        nothing: partial result of no feature at all, made when it is wanted first.
        fresh: places and facts by number of the piece.

    """

    wording: str
    known: Facts | None = None
    nothing: Any = None
    fresh: dict[int, tuple[Places, Facts]] = field(default_factory=dict)

    def settled(self, places: slice) -> bool:
        """True when no feature of a piece is to be looked at."""
        return self.known is not None and not self.known.take(places).looked.any()

    def carry(self, index: int, places: slice) -> Facts:
        """Takes over what is known of the features of piece ``index``, and returns it."""
        facts = cast("Facts", self.known).take(places)
        self.fresh[index] = places, facts
        return facts

    def unknown(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: features that must be looked at."""
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
        """Takes in what is known of piece ``index`` now.

        Args:
            index: number of the piece.
            positions: (n,) staged positions of its features.
            seen: (k,) places in the piece of those that were looked at.
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
        """What is known of all features now; asked once."""
        whole = Facts.joined(count, list(self.fresh.values()))
        self.fresh.clear()
        return whole


def wording(rule: Rule, check: Any, data: Reader, others: Sequence[Reader]) -> str | None:
    """Says what is asked of each feature; None when nothing can be remembered of it.

    Args:
        rule: the rule.
        check: its check.
        data: the version under check.
        others: what it is compared with.

    """
    profile = data.profile
    if not isinstance(check, Remembering) or not isinstance(profile, VectorProfile):
        return None
    depends = check.depends()
    # Which features are there for others to meet depends on a condition, not on geometries alone.
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
    """Where two versions differ.

    Attributes:
        boxes: (k, 4) boxes of what came, went or changed.
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
    """Where two versions differ.

    Args:
        match: (n,) for each feature the earlier one with the same geometry, -1 for none.
        bounds: (n, 4) boxes of the later version.
        gone: (m, 4) boxes of the features of the earlier version that are not there any more.
        reach: see :meth:`History.recall`.

    """
    boxes = np.concatenate([bounds[match < 0], gone])
    return Changes(boxes, meeting(bounds, boxes, reach))


def carried(facts: Facts, match: NDArray[np.int64], where: Changes | None) -> Facts | None:
    """Facts of an earlier version as facts of this one; None when there are too few.

    Args:
        facts: of the earlier version.
        match: (n,) for each feature the earlier one with the same geometry, -1 for none.
        where: where the versions differ; None when others do not matter.

    """
    if not len(facts):
        return Facts.joined(len(match), ())
    now = facts.take(match).without(match < 0)
    if where is None:
        return now
    classes = now.classes.copy()
    classes[(classes != UNKNOWN) & where.near] |= np.uint8(NEAR)
    few = (classes == UNKNOWN).mean() > WORTH
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

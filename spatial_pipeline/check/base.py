"""Base classes of checks: one class per rule, by the scope that decides which pieces it sees.

A check is stateless apart from its rule and the return value of :meth:`Check.prepare`: ``map`` is
called for many pieces at once from several threads, in any order; ``reduce`` gets the results in
the order of the pieces. So the outcome depends neither on the number of threads nor on the order of
work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from spatial_pipeline.contract.rules import Rule, rule_id
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader, VectorReader
from spatial_pipeline.model.violation_runs import ViolationSink
from spatial_pipeline.model.violations import RuleOutcome, Violations

R = TypeVar("R", bound=Rule)


class Cancelled(Exception):  # noqa: N818 - a signal, not an error
    """Raised inside a check when its time is up."""


@dataclass(frozen=True)
class Context:
    """Context of a check beside its pieces.

    Attributes:
        data: the staged version under check, for look-ups by position.
        others: the other datasets of the rule, in the order of ``Rule.others()``.
        key: key columns of the contract.
        cancelled: raises :class:`Cancelled` when the time is up; long loops call it.
        sink: takes violations that exceed the memory limit; None keeps them all.

    """

    data: VectorReader | RasterReader
    others: tuple[VectorReader | RasterReader, ...] = ()
    key: tuple[str, ...] = ()
    cancelled: Callable[[], None] = field(default=lambda: None)
    sink: ViolationSink | None = None


class Check(ABC, Generic[R]):
    """Evaluates one rule. Subclasses are registered by :func:`evaluates`."""

    def __init__(self, rule: R, context: Context) -> None:
        self.rule = rule
        self.context = context

    def violations_of(self, partial: Any) -> Violations | None:  # noqa: ARG002 - a check may say
        """The violations of a partial result that go into the outcome unchanged, if any.

        They may be moved to a file before ``reduce`` sees the partial result.
        """
        return None

    def without_violations(self, partial: Any) -> Any:
        """The partial result without what ``violations_of`` gives; ``reduce`` takes it as well."""
        return partial


class ProfileCheck(Check[R]):
    """Sees metadata only."""

    @abstractmethod
    def evaluate(self, profile: Profile) -> RuleOutcome:
        """The outcome; ``profile`` is of the rule's kind."""


class BatchCheck(Check[R]):
    """Sees batches of features, order-free; partial results are folded at the end."""

    needs_geometry: ClassVar[bool] = True

    def reads(self) -> tuple[str, ...]:
        """Extra columns that the check reads itself, which are counted in its memory."""
        return ()

    @abstractmethod
    def map(self, batch: FeatureBatch) -> Any:
        """The partial result of one batch; features excluded by ``where`` are not in it."""

    @abstractmethod
    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The outcome from the partial results in batch order."""


class FeatureCheck(BatchCheck[R]):
    """A batch check whose violations depend on one batch only."""

    @abstractmethod
    def check(self, batch: FeatureBatch) -> Violations:
        """Violations of the features of this batch."""

    def map(self, batch: FeatureBatch) -> tuple[int, Violations]:
        """Number of features checked, and their violations."""
        return len(batch), self.check(batch)

    def violations_of(self, partial: tuple[int, Violations]) -> Violations:
        """The violations."""
        return partial[1]

    def without_violations(self, partial: tuple[int, Violations]) -> tuple[int, Violations]:
        """The number of features checked."""
        return partial[0], Violations.none()

    def reduce(self, partials: Sequence[tuple[int, Violations]]) -> RuleOutcome:
        """All violations; ``max_violations`` decides."""
        return RuleOutcome(
            checked=sum(n for n, _ in partials),
            violations=Violations.concat(f for _, f in partials),
        )


class TileCheck(Check[R]):
    """Sees the features of a tile and a halo around them.

    A violation must be reported by exactly one tile: the one that owns the feature with the lowest
    staged position among those involved (``tile.features.positions``).
    """

    def halo(self) -> float:
        """Distance around every owned feature's bounding box in which others are needed."""
        return 0.0

    @abstractmethod
    def map(self, tile: Tile) -> Any:
        """The partial result of one tile."""

    @abstractmethod
    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The outcome from the partial results in tile order."""


class TileComparisonCheck(Check[R]):
    """Sees the owned features of a tile and the features of the other dataset around them.

    The features of ``others[0]`` whose bounding boxes, in the CRS of this dataset, intersect that
    of an owned feature are passed with their geometry already transformed to that CRS.
    """

    needs_geometry: ClassVar[bool] = True
    with_itself: ClassVar[bool] = False
    """True when the dataset is compared with itself where the rule names no other one."""

    def halo(self) -> float:
        """Distance around every owned feature's bounding box in which others are needed."""
        return 0.0

    def other_columns(self) -> tuple[str, ...]:
        """Attribute columns of the other dataset that are needed."""
        return ()

    @abstractmethod
    def map(self, batch: FeatureBatch, other: FeatureBatch) -> Any:
        """The partial result of one tile."""

    @abstractmethod
    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The outcome from the partial results in tile order."""


class WindowCheck(Check[R]):
    """Sees block-aligned windows of a raster, all bands."""

    @abstractmethod
    def map(self, window: PixelWindow) -> Any:
        """The partial result of one window."""

    @abstractmethod
    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The outcome from the partial results in window order."""


class PlannedCheck(Check[R]):
    """Plans its own pieces of work: for comparisons that join by key or by several grids."""

    @abstractmethod
    def plan(self) -> Iterable[Callable[[], Any]]:
        """Pieces of work, each a call without arguments, run in any order in threads."""

    @abstractmethod
    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The outcome from the results of the pieces, in plan order."""


CHECKS: dict[tuple[type[Rule], Kind | None], type[Check[Any]]] = {}
"""(Rule model, kind of data) → check class; kind None means every kind."""

FAILURES: list[str] = []
"""Reasons why checks of users' own projects are missing."""

C = TypeVar("C", bound=type[Check[Any]])


def evaluates(model: type[Rule], kind: Kind | None = None) -> Callable[[C], C]:
    """Registers a check class as the evaluation of a rule model.

    Args:
        model: the rule model.
        kind: the kind of data that this class checks; None for every kind without its own class.

    """

    def register(check: C) -> C:
        if (model, kind) in CHECKS:
            msg = f"{model.__name__} has a check already: {CHECKS[model, kind].__name__}"
            raise TypeError(msg)
        CHECKS[model, kind] = check
        return check

    return register


def check_class(model: type[Rule], kind: Kind) -> type[Check[Any]]:
    """The check class that evaluates a rule model on data of this kind.

    Raises:
        RuleError: no check is registered for it.

    """
    found = CHECKS.get((model, kind)) or CHECKS.get((model, None))
    if found is None:
        failures = "".join(f"; {failure}" for failure in FAILURES)
        msg = f"the rule {rule_id(model)} has no check for {kind} data{failures}"
        raise RuleError(msg)
    return found

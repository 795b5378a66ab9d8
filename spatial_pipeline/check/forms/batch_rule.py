"""Form of rules that fold batches: a function of one batch, and one that concludes from all.

A rule is a function decorated by :func:`batch_rule`. It gets its model, a batch of the features for
which ``where`` holds, and the context, and returns a partial result. A second function gets the
model, the context and the partial results in batch order, and returns the outcome. Rules that judge
features or values by themselves have forms that do more: ``feature_rule``, ``column_rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_type_hints

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.incremental.piece_cache import Repeating, Words
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome

Evaluate = Callable[[Any, FeatureBatch, Context], Any]
Conclude = Callable[[Any, Context, Any], RuleOutcome]
E = TypeVar("E", bound=Evaluate)


@dataclass(frozen=True)
class Packing:
    """Partial results as numbers, so that unchanged pieces are not read again.

    Attributes:
        pack: (partial result, features of the piece, context) → numbers, None when the partial
            result must be made again.
        unpack: (numbers, positions of the piece, context) → the same partial result there.
        numbered: it depends on the numbers of the source rows, too.
        relies_on: (context) → what else it depends on, beside the rule and the CRS.

    """

    pack: Callable[[Any, int, Context], Words | None]
    unpack: Callable[[Words, slice, Context], Any]
    numbered: bool = False
    relies_on: Callable[[Context], Sequence[Any]] = lambda _: ()


class BatchRuleCheck(BatchCheck[Rule]):
    """Evaluates a function that :func:`batch_rule` decorates."""

    function: ClassVar[Evaluate]
    conclude: ClassVar[Conclude]
    columns: ClassVar[Callable[[Context], tuple[str, ...]] | None]

    def reads(self) -> tuple[str, ...]:
        """Extra columns that the function reads itself."""
        columns = type(self).columns
        return () if columns is None else columns(self.context)

    def map(self, batch: FeatureBatch) -> Any:
        """The partial result of the function."""
        return type(self).function(self.rule, batch, self.context)

    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The conclusion."""
        return type(self).conclude(self.rule, self.context, partials)


class PackedBatchRuleCheck(BatchRuleCheck, Repeating):
    """The same for a rule whose partial results have a :class:`Packing`."""

    packing: ClassVar[Packing]

    def relies_on(self) -> Sequence[Any]:
        """Other inputs of the partial results."""
        return self.packing.relies_on(self.context)

    def packed(self, partial: Any, count: int) -> Words | None:
        """The partial result as numbers."""
        return self.packing.pack(partial, count, self.context)

    def unpacked(self, words: Words, places: slice) -> Any:
        """The partial result at other positions."""
        return self.packing.unpack(words, places, self.context)


def batch_rule(
    conclude: Conclude,
    *,
    geometry: bool = True,
    columns: Callable[[Context], tuple[str, ...]] | None = None,
    packing: Packing | None = None,
    kind: Kind | None = None,
) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        conclude: makes the outcome of the rule, the context and the partial results.
        geometry: the function needs the geometries.
        columns: columns that the function reads itself, which are counted in its memory.
        packing: turns partial results into numbers, for the cache over versions.
        kind: kind of data that it judges, None for every kind.

    """

    def register(function: E) -> E:
        model = next(iter(get_type_hints(function).values()))
        parts: dict[str, Any] = {
            "function": staticmethod(function),
            "conclude": staticmethod(conclude),
            "columns": None if columns is None else staticmethod(columns),
            "needs_geometry": geometry,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        base: type[BatchRuleCheck] = BatchRuleCheck
        if packing is not None:
            base = PackedBatchRuleCheck
            parts |= {"packing": packing, "numbered": packing.numbered}
        evaluates(model, kind)(type(f"{model.__name__}{(kind or '').title()}Check", (base,), parts))
        return function

    return register

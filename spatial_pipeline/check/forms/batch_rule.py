"""Form of rules that fold batches: a function of one batch, and one that concludes from all.

A rule is a function decorated by :func:`batch_rule`. It gets its model, a batch of the features for
which ``where`` holds, and the context, and returns a partial result. A second function gets the
model, the context and the partial results in batch order, and returns the outcome. Rules that judge
features or values by themselves have forms that do more: ``feature_rule``, ``column_rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, get_type_hints

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome

Evaluate = Callable[[Any, FeatureBatch, Context], Any]
Conclude = Callable[[Any, Context, Any], RuleOutcome]
E = TypeVar("E", bound=Evaluate)


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


def batch_rule(
    conclude: Conclude,
    *,
    geometry: bool = True,
    columns: Callable[[Context], tuple[str, ...]] | None = None,
    kind: Kind | None = None,
) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        conclude: makes the outcome of the rule, the context and the partial results.
        geometry: the function needs the geometries.
        columns: columns that the function reads itself, which are counted in its memory.
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
        name = f"{model.__name__}{(kind or '').title()}Check"
        evaluates(model, kind)(type(name, (BatchRuleCheck,), parts))
        return function

    return register

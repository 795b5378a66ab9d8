"""Form of rules that compare a layer with others: a function that plans, and one that concludes.

A rule is a function decorated by :func:`comparison_rule`. It gets its model and the
:class:`ComparedLayers`, and returns pieces of work: calls without arguments that run in any order
in threads. A second function gets the model, the layers and the results of the pieces in that
order, and returns the outcome. Rules that compare pixels have ``pixel_comparison``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

from spatial_pipeline.check.base import PlannedCheck, evaluates
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome

Piece = Callable[[], Any]


@dataclass(frozen=True)
class ComparedLayers:
    """A layer and those that it is compared with.

    Attributes:
        here: the layer under check.
        others: the other layers, at least one, in the order of ``Rule.others()``.
        key: key columns of the contract.
        cancelled: raises when the time of the rule is up; long loops call it.

    """

    here: VectorReader
    others: tuple[VectorReader, ...]
    key: tuple[str, ...]
    cancelled: Callable[[], None]


Plan = Callable[[Any, ComparedLayers], Iterable[Piece]]
Conclude = Callable[[Any, ComparedLayers, Any], RuleOutcome]
E = TypeVar("E", bound=Plan)


class ComparisonRuleCheck(PlannedCheck[Rule]):
    """Evaluates a function that :func:`comparison_rule` decorates."""

    function: ClassVar[Plan]
    conclude: ClassVar[Conclude]
    lacks: ClassVar[str]

    def plan(self) -> Iterable[Piece]:
        """The pieces of work of the function.

        Raises:
            RuleError: there is no other layer.

        """
        if not self.context.others:
            raise RuleError(self.lacks.format(rule=self.rule))
        return type(self).function(self.rule, self._layers)

    def reduce(self, partials: Sequence[Any]) -> RuleOutcome:
        """The conclusion."""
        return type(self).conclude(self.rule, self._layers, partials)

    @property
    def _layers(self) -> ComparedLayers:
        context = self.context
        return ComparedLayers(
            cast("VectorReader", context.data),
            tuple(cast("VectorReader", other) for other in context.others),
            context.key,
            context.cancelled,
        )


def comparison_rule(
    conclude: Conclude, *, lacks: str = "nothing to compare with", kind: Kind | None = None
) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        conclude: makes the outcome of the rule, the layers and the results of the pieces.
        lacks: the error without another layer; ``{rule}`` is the model.
        kind: kind of data that it judges, None for every kind.

    """

    def register(function: E) -> E:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "function": staticmethod(function),
            "conclude": staticmethod(conclude),
            "lacks": lacks,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        name = f"{model.__name__}{(kind or '').title()}Check"
        evaluates(model, kind)(type(name, (ComparisonRuleCheck,), parts))
        return function

    return register

"""Form of profile rules: a function of the rule and of the profile that ingest recorded.

A rule is a function that is decorated by :func:`profile_rule`; it gets its model and the profile,
and returns the outcome. A function with a third parameter also gets the :class:`Context`: for the
profile of another dataset, or to read the data where the profile does not decide.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import ClassVar, TypeVar, get_type_hints

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome

Evaluate = Callable[..., RuleOutcome]
E = TypeVar("E", bound=Evaluate)


class ProfileRuleCheck(ProfileCheck[Rule]):
    """Evaluates a function that :func:`profile_rule` decorates."""

    function: ClassVar[Evaluate]
    reads: ClassVar[bool]

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """The outcome of the function."""
        beside = (self.context,) if self.reads else ()
        return type(self).function(self.rule, profile, *beside)


def profile_rule(function: E) -> E:
    """Registers a function as the evaluation of the rule model of its first parameter."""
    model = next(iter(get_type_hints(function).values()))
    parts = {
        "function": staticmethod(function),
        "reads": len(signature(function).parameters) > 2,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    evaluates(model)(type(f"{model.__name__}Check", (ProfileRuleCheck,), parts))
    return function

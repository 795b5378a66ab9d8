"""Form of profile rules: a function of the rule and of the profile that ingest recorded.

A rule is a function that is decorated by :func:`profile_rule`; it gets its model and the profile,
and returns the outcome. Rules that also read data, or a second dataset, are classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, get_type_hints

from spatial_pipeline.check.base import ProfileCheck, evaluates
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import RuleOutcome

Evaluate = Callable[[Any, Any], RuleOutcome]
E = TypeVar("E", bound=Evaluate)


class ProfileRuleCheck(ProfileCheck[Rule]):
    """Evaluates a function that :func:`profile_rule` decorates."""

    function: ClassVar[Evaluate]

    def evaluate(self, profile: Profile) -> RuleOutcome:
        """The outcome of the function."""
        return type(self).function(self.rule, profile)


def profile_rule(function: E) -> E:
    """Registers a function as the evaluation of the rule model of its first parameter."""
    model = next(iter(get_type_hints(function).values()))
    parts = {
        "function": staticmethod(function),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    evaluates(model)(type(f"{model.__name__}Check", (ProfileRuleCheck,), parts))
    return function

"""Index of the catalogue: facts about every rule that cost no import of its model.

``rule_index.json`` is generated from the models (``make docs``). It only makes look-ups fast: a
rule that is missing in it is found among all models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from spatial_pipeline.contract.custom import points_of
from spatial_pipeline.contract.vocabulary import Family, Kind

if TYPE_CHECKING:
    from spatial_pipeline.contract.rules import Rule

DATA = "rule_index.json"
CUSTOM_MODELS = "spatial_pipeline.rules"
"""Group of the entry points with which installed projects add models of rules."""


@dataclass(frozen=True)
class RuleSummary:
    """A rule of the catalogue, without its parameters.

    Attributes:
        rule: id.
        module: full name of the module that holds its model.
        family: family.
        kinds: kinds of data, in the order in which they are shown.
        description: description in one paragraph.

    """

    rule: str
    module: str
    family: Family
    kinds: tuple[Kind, ...]
    description: str


@cache
def rule_index() -> dict[str, RuleSummary]:
    """Rule id → its summary, in the order of the catalogue, of the rules of this package."""
    text = (files(__package__) / DATA).read_text(encoding="utf-8")
    return {
        rule: RuleSummary(rule, module, Family(family), tuple(kinds), description)
        for rule, module, family, kinds, description in json.loads(text)
    }


def every_rule() -> list[RuleSummary]:
    """All rules in the order of the catalogue, those of users' projects last."""
    if not points_of(CUSTOM_MODELS):
        return list(rule_index().values())
    from spatial_pipeline.contract.rules import CATALOGUE

    return [summary_of(identity, model) for identity, model in CATALOGUE.items()]


def summary_of(identity: str, model: type[Rule]) -> RuleSummary:
    """The summary of a model.

    Args:
        identity: id of the rule.
        model: its model.

    """
    kinds = tuple(sorted(model.kinds, reverse=True))
    return RuleSummary(identity, model.__module__, model.family, kinds, description_of(model))


def description_of(model: type[Rule]) -> str:
    """Description of a rule, in one paragraph."""
    return " ".join((model.__doc__ or "").replace("``", "").split())


__all__ = [
    "CUSTOM_MODELS",
    "DATA",
    "RuleSummary",
    "description_of",
    "every_rule",
    "rule_index",
    "summary_of",
]

"""Catalogue of rules: one pydantic model per rule, found by its id; ``check`` evaluates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from spatial_pipeline.contract.rules.base import Other, OtherDataset, OtherSource, Rule, rule_id
from spatial_pipeline.contract.rules.by_identity import ByIdentity
from spatial_pipeline.contract.rules.catalogue import Catalogue

CATALOGUE = Catalogue()
"""Rule id → model, by family and in the order of the catalogue; those of projects come last."""

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Annotated[Rule, ByIdentity(CATALOGUE)]

__all__ = [
    "CATALOGUE",
    "AnyRule",
    "Other",
    "OtherDataset",
    "OtherSource",
    "Rule",
    "rule_id",
]

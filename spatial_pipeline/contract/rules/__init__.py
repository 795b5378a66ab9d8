"""Catalogue of rules: one pydantic model per rule, found by its id; ``check`` evaluates them."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Annotated

from spatial_pipeline.contract.custom import load_custom
from spatial_pipeline.contract.rules import (
    accuracy,
    attributes,
    boundaries,
    delivery_parity,
    formats,
    joins,
    keys,
    metadata,
    networks,
    nodes,
    overlay,
    parity,
    pixels,
    ranges,
    raster_metadata,
    raster_parity,
    raster_topology,
    statistics,
    topology,
    validity,
    vertices,
)
from spatial_pipeline.contract.rules.base import Other, OtherDataset, OtherSource, Rule, rule_id
from spatial_pipeline.contract.rules.by_identity import ByIdentity

MODULES = (
    *(metadata, formats, attributes, joins, ranges, statistics, raster_metadata),
    *(validity, vertices),
    pixels,
    *(topology, overlay, nodes, boundaries, networks, raster_topology),
    *(parity, delivery_parity, keys, raster_parity, accuracy),
)
"""By family, in the order of the catalogue."""


CUSTOM = load_custom("spatial_pipeline.rules")
"""Modules of models that installed projects add, and what is wrong with others."""


def _concrete() -> dict[str, type[Rule]]:
    found: dict[str, type[Rule]] = {}
    for module in MODULES:
        found.update(_models(module))
    for name, module in CUSTOM.modules.items():
        added = _models(module)
        if not added:
            CUSTOM.failures.append(f"{name}: no model of a rule is in {module.__name__}")
        for identity in sorted(added.keys() & found.keys()):
            CUSTOM.failures.append(f"{name}: there is a rule {identity!r} already")
        found.update({i: m for i, m in added.items() if i not in found})
    return found


def _models(module: ModuleType) -> dict[str, type[Rule]]:
    return {
        rule_id(value): value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Rule)
        and "Literal" in str(value.model_fields["rule"].annotation)
    }


CATALOGUE: dict[str, type[Rule]] = _concrete()
"""Rule id → model, by family and in the order of the catalogue; those of projects come last."""

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Annotated[Rule, ByIdentity(CATALOGUE)]

__all__ = [
    "CATALOGUE",
    "CUSTOM",
    "AnyRule",
    "Other",
    "OtherDataset",
    "OtherSource",
    "Rule",
    "rule_id",
]

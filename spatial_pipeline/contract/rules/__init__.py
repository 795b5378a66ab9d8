"""Catalogue of rules: one pydantic model per rule, found by its id; ``check`` evaluates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from spatial_pipeline.contract.rules import (
    accuracy,
    attributes,
    boundaries,
    formats,
    joins,
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

MODULES = (
    *(metadata, formats, attributes, joins, ranges, statistics, raster_metadata),
    *(validity, vertices),
    pixels,
    *(topology, overlay, nodes, boundaries, networks, raster_topology),
    *(parity, raster_parity, accuracy),
)
"""By family, in the order of the catalogue."""


def _concrete() -> dict[str, type[Rule]]:
    found: dict[str, type[Rule]] = {}
    for module in MODULES:
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Rule)
                and "Literal" in str(value.model_fields["rule"].annotation)
            ):
                found[rule_id(value)] = value
    return found


CATALOGUE: dict[str, type[Rule]] = _concrete()
"""Rule id → model, by family and in the order of the catalogue."""

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Annotated[Union[tuple(CATALOGUE.values())], Field(discriminator="rule")]  # noqa: UP007

__all__ = ["CATALOGUE", "AnyRule", "Other", "OtherDataset", "OtherSource", "Rule", "rule_id"]

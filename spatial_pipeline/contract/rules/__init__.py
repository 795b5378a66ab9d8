"""The catalogue: one pydantic model a rule, told apart by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from spatial_pipeline.contract.rules import (
    attributes,
    formats,
    metadata,
    parity,
    pixels,
    raster_metadata,
    raster_parity,
    raster_topology,
    topology,
    validity,
    vertices,
)
from spatial_pipeline.contract.rules.base import Other, OtherDataset, OtherSource, Rule, rule_id


def _concrete() -> dict[str, type[Rule]]:
    found: dict[str, type[Rule]] = {}
    modules = (
        metadata, formats, attributes, raster_metadata, validity, pixels, vertices, topology,
        raster_topology, parity, raster_parity,
    )  # fmt: skip
    for module in modules:
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

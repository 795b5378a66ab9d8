"""Validation of a rule by the one model that its id names.

A discriminated union of pydantic does the same, and builds the models of all rules for it: most of
the time that loading a small contract takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from spatial_pipeline.contract.rules.base import Rule

BRIEF: ContextVar[bool] = ContextVar("BRIEF", default=False)
"""True where a schema is looked at and validates nothing: that of all rules takes seconds."""


@dataclass(frozen=True)
class ByIdentity:
    """Marks a field that holds a rule.

    Attributes:
        catalogue: id → model.

    """

    catalogue: Mapping[str, type[Rule]]

    def rule(self, value: Any) -> Rule:
        """The rule that a mapping describes."""
        if isinstance(value, Rule):
            return value
        if not isinstance(value, Mapping):
            msg = "Input should be a mapping with the key 'rule'"
            raise PydanticCustomError("model_attributes_type", msg)
        model = self.catalogue.get(str(value.get("rule")))
        if model is None:
            msg = "There is no rule '{rule}'"
            raise PydanticCustomError("union_tag_invalid", msg, {"rule": str(value.get("rule"))})
        return model.model_validate(dict(value))

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Any value, then :meth:`rule`; a rule is dumped as the model that it is."""
        return core_schema.no_info_after_validator_function(self.rule, core_schema.any_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """One of all rules, by the key ``rule``; any of them where a brief schema is wanted."""
        if BRIEF.get():
            return {
                "type": "object",
                "description": "A rule with its parameters: `spatial-pipeline rules` lists all.",
                "required": ["rule"],
                "properties": {"rule": {"type": "string"}},
            }
        union: Any = Union[tuple(self.catalogue.values())]  # noqa: UP007 - of a computed tuple
        adapter = TypeAdapter[Any](Annotated[union, Field(discriminator="rule")])
        return handler(adapter.core_schema)

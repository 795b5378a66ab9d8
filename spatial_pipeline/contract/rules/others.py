"""Base class of rules about another dataset, or about several that are read as one layer."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from spatial_pipeline.contract.rules.base import Other, Rule
from spatial_pipeline.contract.rules.usable import ABSENT, Needs

Several = Annotated[tuple[Other, ...], Field(min_length=2)]


class OthersRule(Rule):
    """A rule about the features of another dataset, or of several together."""

    other_needed: ClassVar[bool] = True
    """False for rules that are about the dataset itself when they name no other one."""
    newer: ClassVar[frozenset[str]] = Rule.newer | {"others_"}
    other: Other | None = Field(None, description="The other dataset.")
    others_: Several | None = Field(
        None,
        alias="others",
        description="Several datasets in place of other, read as one layer: all their features, "
        "with the columns that all of them have. They share a CRS.",
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        given = (self.other is not None) + (self.others_ is not None)
        if given > 1 or (self.other_needed and not given):
            msg = "give other or others"
            raise ValueError(msg)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Adds that one of the two is given."""
        reference = super().__get_pydantic_json_schema__(core_schema, handler)
        schema = handler.resolve_ref_schema(reference)
        both: dict[str, Any] = {
            "required": ["other", "others"],
            "properties": {n: {"not": {"enum": list(ABSENT)}} for n in ("other", "others")},
        }
        clause = Needs.one("other", "others").schema() if cls.other_needed else {"not": both}
        schema.setdefault("allOf", []).append(clause)
        return reference

    def others(self) -> tuple[Other, ...]:
        """The other dataset, or the several ones; none when none is named."""
        return self.others_ or (() if self.other is None else (self.other,))

    @property
    def together(self) -> int:
        """All of several datasets are read as one layer."""
        return len(self.others_ or ())


__all__ = ["OthersRule"]

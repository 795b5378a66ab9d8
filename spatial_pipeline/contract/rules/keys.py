"""Rules about keys from one delivery to the next."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import (
    EARLIER_PUBLISHED,
    LAST_PUBLISHED,
    Fraction,
    LastPublished,
    Length,
    Other,
)
from spatial_pipeline.contract.rules.parity import ParityRule


class StableKeys(ParityRule):
    """A key stays with its object: none of the other delivery is lost, none names another object.

    Compared is the last published version unless another dataset is given; before the first
    publication there is nothing to compare with. Keys that are null or not unique are counted.
    """

    rule: Literal["stable_keys"] = "stable_keys"
    iso_element: ClassVar[str] = "completeness"
    newer: ClassVar[frozenset[str]] = ParityRule.newer | {"no_reuse"}
    other: Other | None = Field(
        None, description="Another delivery; the last published version unless given."
    )
    key: tuple[str, ...] | None = Field(
        None, min_length=1, description="Columns of the key; the contract's key unless given."
    )
    max_moved: Length = Field(
        0.0, description="Largest distance of a feature from where its key was, units of the CRS."
    )
    min_kept: Fraction = Field(1.0, description="Least share of the other's keys that are left.")
    no_reuse: bool = Field(
        False,
        description="A key that the last published version no longer had comes back only where it "
        "was in the latest earlier one that had it, of those still in the store.",
    )

    @model_validator(mode="after")
    def _published(self) -> Self:
        if self.no_reuse and self.other is not None:
            msg = "no_reuse looks at earlier published versions: leave other out"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The key named by the contract."""
        return self.key or ()

    def others(self) -> tuple[Other | LastPublished, ...]:
        """The other delivery, and those before it."""
        last = LAST_PUBLISHED if self.other is None else self.other
        return (last, EARLIER_PUBLISHED) if self.no_reuse else (last,)


__all__ = ["StableKeys"]

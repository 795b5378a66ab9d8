"""Rules about keys from one delivery to the next."""

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
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

    def columns(self) -> tuple[str, ...]:
        """The key named by the contract."""
        return self.key or ()

    def others(self) -> tuple[Other | LastPublished, ...]:
        """The other delivery."""
        return (LAST_PUBLISHED if self.other is None else self.other,)


__all__ = ["StableKeys"]

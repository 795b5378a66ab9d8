"""Rules about ranges of numbers: address ranges, kilometre posts, depths."""

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import NotNegative
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.vocabulary import Scope


class RangeRule(MetadataRule):
    """A rule about ranges from one column to another, in groups of features.

    A range that runs backwards is taken as if it ran forwards, and counted; one with a null is not
    judged.
    """

    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "logical consistency"
    from_: str = Field(alias="from", description="Column where a range begins.")
    to: str = Field(description="Column where a range ends.")
    group_by: tuple[str, ...] = Field(
        (), description="Columns: only ranges with equal values in them are compared."
    )
    closed: Literal["left", "both"] = Field(
        "left",
        description="left: the end does not belong to a range, so the next one begins there; both: "
        "it does, as in address ranges 1 to 9 and 10 to 19.",
    )
    parity: bool = Field(
        False,
        description="Ranges of odd and of even numbers (by where they begin) are apart, as on two "
        "sides of a street.",
    )

    def columns(self) -> tuple[str, ...]:
        """The columns of the ranges and of the groups."""
        return tuple(dict.fromkeys((self.from_, self.to, *self.group_by)))


class RangesMustNotOverlap(RangeRule):
    """Ranges of a group share nothing; each pair that does is reported with what it shares."""

    rule: Literal["ranges_must_not_overlap"] = "ranges_must_not_overlap"
    tolerance: NotNegative = Field(0.0, description="Accepted length of what two ranges share.")


class RangesMustNotHaveGaps(RangeRule):
    """Ranges of a group leave nothing out between the least and the largest number.

    With closed: both, whole numbers follow each other in steps of 1, with parity in steps of 2.
    """

    names_neighbours: ClassVar[bool] = True

    rule: Literal["ranges_must_not_have_gaps"] = "ranges_must_not_have_gaps"
    tolerance: NotNegative = Field(0.0, description="Accepted length of what is left out.")


__all__ = ["RangesMustNotHaveGaps", "RangesMustNotOverlap"]

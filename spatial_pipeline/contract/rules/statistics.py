"""Rules about statistics of columns, and about numbers against the last published version."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spatial_pipeline.contract.duration import Duration
from spatial_pipeline.contract.rules.base import (
    BOTH,
    LAST_PUBLISHED,
    TIME,
    ContractModel,
    Finite,
    Fraction,
    LastPublished,
    NotNegative,
)
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.rules.usable import NO_PLACES, ONE_FACT, ONE_NUMBER, Needs
from spatial_pipeline.contract.vocabulary import Kind, Scope

STATISTICAL: Mapping[str, str] = {
    name: reason for name, reason in NO_PLACES.items() if name != "where"
}
"""Statistics have no place and belong to no single feature; ``where`` selects what they are of."""


class Range(ContractModel):
    """Bounds of a statistic."""

    min: Finite | None = Field(None, description="Smallest value.")
    max: Finite | None = Field(None, description="Largest value.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            msg = "give min, max or both"
            raise ValueError(msg)
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


def _share(text: str) -> str:
    try:
        inside = 0 <= float(text) <= 1
    except ValueError:
        inside = False
    if not inside:
        msg = f"{text!r} is not a fraction from 0 to 1"
        raise ValueError(msg)
    return text


class StatisticRule(MetadataRule):
    """A rule about numbers that sum up features, of all together or of each group of them."""

    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "domain consistency"
    ignores: ClassVar[Mapping[str, str]] = STATISTICAL
    group_by: tuple[str, ...] = Field(
        (), description="Columns. Each group of features with equal values is checked separately."
    )


class ColumnStatistics(StatisticRule):
    """Statistics of a column lie within bounds.

    Mean and sum are exact and rounded once; quantiles are interpolated linearly. NaN, infinity and
    null take no part in them, and are counted.
    """

    rule: Literal["column_statistics"] = "column_statistics"
    needs: ClassVar[Needs] = Needs.some(
        "null_fraction", "distinct", "mean", "std", "sum", "quantiles", "checksum"
    )
    column: str = Field(description="Column to check.")
    checksum: str | None = Field(
        None,
        pattern="^[0-9a-f]{16}$",
        description="Checksum of all values, whatever their order, as profile prints it.",
    )
    null_fraction: Range | None = Field(None, description="Share of nulls among the features.")
    distinct: Range | None = Field(None, description="Number of distinct values.")
    mean: Range | None = Field(None, description="Mean of the values.")
    std: Range | None = Field(
        None, description="Standard deviation of the values (of all of them, not of a sample)."
    )
    sum: Range | None = Field(None, description="Sum of the values; 0 without one.")
    quantiles: dict[Annotated[str, AfterValidator(_share)], Range] | None = Field(
        None, description='Share → bounds, such as {"0.5": {min: 10}} for the median.'
    )

    @model_validator(mode="after")
    def _of_all_features(self) -> Self:
        if self.checksum is not None and self.group_by:
            msg = "checksum is that of all features: leave out group_by"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The column, and those that make groups."""
        return tuple(dict.fromkeys((*self.group_by, self.column)))


class GroupAggregate(StatisticRule):
    """A count, sum, mean, least or largest value of each group lies within bounds.

    Values are those of a column, or a measure of the geometry. ``max_change`` compares with the
    same group of the last published version; a group that only one of the two has is a violation.
    Before the first publication there is nothing to compare with.
    """

    rule: Literal["group_aggregate"] = "group_aggregate"
    needs: ClassVar[Needs] = Needs.some("min", "max", "equals", "max_change")
    aggregate: Literal["count", "sum", "mean", "min", "max"] = Field(description="What to compute.")
    column: str | None = Field(None, description="Column to sum up; count needs none.")
    measure: Literal["area", "length", "x", "y", "z", "vertices"] | None = Field(
        None,
        description="Measure of the geometry to sum up, instead of a column, in units of the CRS: "
        "length (of polygons, the perimeter), x and y of the centroid, mean z, number of vertices.",
    )
    min: Finite | None = Field(None, description="Smallest value.")
    max: Finite | None = Field(None, description="Largest value.")
    equals: Finite | None = Field(None, description="The value.")
    tolerance: NotNegative = Field(0.0, description="Accepted difference from equals.")
    max_change: NotNegative | None = Field(
        None, description="Accepted change, as a share of the last published value."
    )

    @model_validator(mode="after")
    def _of_a_column(self) -> Self:
        given = [self.column, self.measure].count(None) < 2
        if given == (self.aggregate == "count"):
            msg = "column: count takes none, every other aggregate needs one, or a measure"
            raise ValueError(msg)
        if self.column is not None and self.measure is not None:
            msg = "give column or measure, not both"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The column, and those that make groups."""
        return tuple(dict.fromkeys((*self.group_by, *filter(None, (self.column,)))))

    def others(self) -> tuple[LastPublished, ...]:
        """The last published version, when a change is bounded."""
        return () if self.max_change is None else (LAST_PUBLISHED,)


class CountChange(MetadataRule):
    """The number of features has changed by at most a fraction since the last published version.

    Before the first publication there is nothing to compare with, and the result says so.
    """

    rule: Literal["count_change"] = "count_change"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = {
        name: reason for name, reason in ONE_NUMBER.items() if name != "max_fraction"
    }
    max_fraction: Fraction = Field(
        description="Accepted change, as a share of the features that are published."
    )

    def others(self) -> tuple[LastPublished, ...]:
        """The last published version."""
        return (LAST_PUBLISHED,)


class FreshnessRule(MetadataRule):
    """The newest record, or the source itself, is young enough at the time of the check.

    With ``source_time``, a source that is written again is another version, even if it has the same
    content: it is staged and checked again.
    """

    rule: Literal["freshness"] = "freshness"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "temporal quality"
    kinds: ClassVar[frozenset[Kind]] = BOTH
    newer: ClassVar[frozenset[str]] = MetadataRule.newer | {"source_time"}
    needs: ClassVar[Needs] = Needs.one("column", "source_time", source_time=True)
    ignores: ClassVar[Mapping[str, str]] = {n: r for n, r in ONE_FACT.items() if n != "where"}
    max_age: Duration = Field(description="Largest age: 26h, 7d.")
    column: str | None = Field(
        None, description="Column of days or times; times without a zone are UTC."
    )
    source_time: bool = Field(
        False,
        description="Judge the time at which the files of the source were last written, by the "
        "file system or the server.",
    )

    @property
    def beside(self) -> tuple[str, ...]:
        """The time of the source, where it is judged."""
        return (TIME,) if self.source_time else ()

    def unused(self, kind: Kind) -> list[tuple[str, str]]:
        """Parameters that it cannot use: a column, for rasters."""
        column = [("column", "a raster has no columns")] if self.column else []
        return [*super().unused(kind), *(column if kind == "raster" else [])]

    def columns(self) -> tuple[str, ...]:
        """The column named by the contract."""
        return () if self.column is None else (self.column,)


__all__ = [
    "ColumnStatistics",
    "CountChange",
    "FreshnessRule",
    "GroupAggregate",
    "Range",
]

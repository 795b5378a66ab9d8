"""Rules that compare the schema, the profile and the statistics of two deliveries."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import RASTER, NotNegative, Other
from spatial_pipeline.contract.rules.parity import ParityRule
from spatial_pipeline.contract.rules.statistics import STATISTICAL
from spatial_pipeline.contract.rules.usable import NO_PLACES
from spatial_pipeline.contract.vocabulary import Kind, Scope

ProfileProperty = Literal[
    "grid", "band_count", "data_type", "nodata", "band_names", "color_interpretation",
    "scale_offset", "masks", "compression", "blocks", "overviews", "tags",
]  # fmt: skip


class DeliveryParityRule(ParityRule):
    """A rule about two deliveries as a whole."""

    other: Other = Field(description="The dataset to compare with.")

    def others(self) -> tuple[Other, ...]:
        """The dataset to compare with."""
        return (self.other,)


class SameSchemaAs(DeliveryParityRule):
    """Another dataset has the same columns, of the same types, and the same type of geometry.

    What a format cannot hold (a Shapefile: booleans, date-times, wide numbers) is no difference;
    each such loss is named in the message. The order of columns and nullability do not matter.
    """

    rule: Literal["same_schema_as"] = "same_schema_as"
    scope: ClassVar[Scope] = Scope.PROFILE
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    ignore: tuple[str, ...] = Field(
        (), description="Columns that are not compared; geometry for the type of geometry."
    )
    allow_truncated_names: bool = Field(
        False, description="Names that a Shapefile cut to 10 characters stand for the whole ones."
    )


class SameProfileAs(DeliveryParityRule):
    """Another raster has the same grid, bands, masks, tags and structure."""

    rule: Literal["same_profile_as"] = "same_profile_as"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    ignore: tuple[ProfileProperty, ...] = Field((), description="Properties that are not compared.")


class SameStatisticsAs(DeliveryParityRule):
    """Sums of columns, the area of polygons and the length of lines equal those of another dataset.

    Sums are exact: neither the order of features nor the pieces change them. Areas and lengths are
    those in the CRS of this dataset; differences that rounding of coordinates explains are none.
    ``where`` selects features of both datasets.
    """

    rule: Literal["same_statistics_as"] = "same_statistics_as"
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = STATISTICAL
    columns_: tuple[str, ...] = Field(
        (), alias="columns", description="Columns of numbers, of which the sums are compared."
    )
    group_by: tuple[str, ...] = Field(
        (), description="Columns. Each group of features with equal values is compared separately."
    )
    geometry: bool = Field(True, description="Compare areas and lengths.")
    tolerance: NotNegative = Field(0.0, description="Accepted difference.")
    relative_tolerance: NotNegative = Field(
        0.0, description="Accepted difference as a share of the other sum; the larger one counts."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.geometry and not self.columns_:
            msg = "columns: name one, or leave geometry true"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The columns that are summed up, and those that make groups."""
        return tuple(dict.fromkeys((*self.group_by, *self.columns_)))


__all__ = ["ProfileProperty", "SameProfileAs", "SameSchemaAs", "SameStatisticsAs"]

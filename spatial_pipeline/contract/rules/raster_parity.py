"""Rules that compare the pixels of a raster with masks, polygons, samples and check points."""

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    RASTER,
    Area,
    Fraction,
    Length,
    NotNegative,
    Other,
)
from spatial_pipeline.contract.rules.parity import ParityRule
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.rules.validity import Band
from spatial_pipeline.contract.vocabulary import Kind


class RasterParityRule(ParityRule):
    """A rule that compares a raster with another dataset."""

    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    other: Other = Field(description="The dataset to compare with.")

    def others(self) -> tuple[Other, ...]:
        """The dataset to compare with."""
        return (self.other,)


class PolygonParityRule(RasterParityRule):
    """A rule that compares a raster with features, which their CRS places."""

    def needs_crs(self) -> bool:
        """Features are brought into the CRS of the raster."""
        return True

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - the same for every kind
        """Features."""
        return "vector"


class SameMaskAs(RasterParityRule):
    """Another raster has data where this one has, band by band."""

    rule: Literal["same_mask_as"] = "same_mask_as"
    iso_element: ClassVar[str] = "completeness"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")


class RasterMatchesVector(PolygonParityRule):
    """Pixels hold the class of the polygon that their centre lies in.

    Where polygons of several classes overlap, any of them will do. Pixels outside of all polygons
    are not judged.
    """

    rule: Literal["raster_matches_vector"] = "raster_matches_vector"
    band: Band = Field(1, description="Band number, from 1.")
    column: str = Field(description="Column of the polygons with their class, as a number.")
    all_touched: bool = Field(
        False, description="A class is right in every pixel that a polygon of it touches."
    )


class AreasMatch(RasterParityRule):
    """Each class, and all classes together, cover the same area as in another dataset."""

    rule: Literal["areas_match"] = "areas_match"
    band: Band = Field(1, description="Band number, from 1.")
    column: str | None = Field(
        None,
        description="Column of polygons with their class, as a number; without it the other "
        "dataset is a raster.",
    )
    tolerance: Area = Field(0.0, description="Accepted difference of areas.")
    relative_tolerance: NotNegative = Field(
        0.0, description="Accepted difference as a share of the other area; the larger one counts."
    )

    def needs_crs(self) -> bool:
        """Polygons are brought into the CRS of the raster."""
        return self.column is not None

    def other_kind(self, kind: Kind) -> Kind:
        """Polygons when a column is named, else a raster."""
        return kind if self.column is None else "vector"


class ZonalMatches(PolygonParityRule):
    """A statistic of the pixels in each polygon equals a column of it.

    A pixel belongs to the polygon that its centre lies in; sums are exact, whatever the windows.
    NaN and infinite pixels are left out.
    """

    rule: Literal["zonal_matches"] = "zonal_matches"
    band: Band = Field(1, description="Band number, from 1.")
    column: str = Field(description="Column of the polygons with the expected number.")
    statistic: Literal["mean", "sum", "min", "max", "count"] = Field(
        "mean", description="Statistic of the valid pixels."
    )
    tolerance: NotNegative = Field(0.0, description="Accepted difference.")


class FootprintMatches(PolygonParityRule):
    """The declared footprint of a raster (a layer, or a STAC item) is where it has data."""

    rule: Literal["footprint_matches"] = "footprint_matches"
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.some("tolerance", "min_iou")
    band: Band = Field(1, description="Band number, from 1.")
    tolerance: Length | None = Field(
        None, description="Distance up to which the outlines may differ, units of the CRS."
    )
    min_iou: Fraction | None = Field(
        None, description="Smallest accepted ratio of the common area to that of both together."
    )


class VerticalAccuracy(PolygonParityRule):
    """Heights of a surface agree with check points: RMSE, bias, percentile of the residuals."""

    rule: Literal["vertical_accuracy"] = "vertical_accuracy"
    iso_element: ClassVar[str] = "positional accuracy"
    needs: ClassVar[Needs] = Needs.some("rmse", "bias", "percentile95")
    band: Band = Field(1, description="Band number, from 1.")
    column: str | None = Field(
        None, description="Column of the check points with the height; their Z unless given."
    )
    sampling: Literal["bilinear", "nearest"] = Field(
        "bilinear", description="How the surface is read at a point."
    )
    rmse: NotNegative | None = Field(None, description="Largest root mean square error.")
    bias: NotNegative | None = Field(None, description="Largest mean residual, of either sign.")
    percentile95: NotNegative | None = Field(
        None, description="Largest 95th percentile of the sizes of residuals (nearest rank)."
    )


class ThematicAccuracy(PolygonParityRule):
    """Classes of pixels agree with those of sample points: the confusion matrix and its ratios."""

    rule: Literal["thematic_accuracy"] = "thematic_accuracy"
    needs: ClassVar[Needs] = Needs.some("min_overall", "min_users", "min_producers")
    band: Band = Field(1, description="Band number, from 1.")
    column: str = Field(description="Column of the samples with their class, as a number.")
    min_overall: Fraction | None = Field(None, description="Smallest share of right samples.")
    min_users: Fraction | None = Field(
        None, description="Smallest share of right samples among those of a class of the raster."
    )
    min_producers: Fraction | None = Field(
        None, description="Smallest share of right samples among those of a class of the samples."
    )

"""Rules about the pixels of one raster."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import (
    RASTER,
    Area,
    ContractModel,
    Finite,
    Length,
    NotNegative,
    Other,
    OtherDataset,
    OtherSource,
    Positive,
)
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.rules.validity import Band, RasterValidityRule, ValidityRule
from spatial_pipeline.contract.vocabulary import Kind, Scope

Pixels = Annotated[int, Field(ge=1)]
Span = tuple[float | None, float | None]


class PixelValues(RasterValidityRule):
    """Valid pixels have values of a list, such as class codes. Other regions are outlined."""

    rule: Literal["pixel_values"] = "pixel_values"
    iso_element: ClassVar[str] = "domain consistency"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    values: tuple[int | Finite, ...] = Field(
        min_length=1, description="Values that are accepted, as stored."
    )


class NoNan(RasterValidityRule):
    """No valid pixel is NaN or infinite. NaN declared as nodata is not a valid pixel."""

    rule: Literal["no_nan"] = "no_nan"
    iso_element: ClassVar[str] = "domain consistency"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")


class NotConstant(RasterValidityRule):
    """No band (or block) has the same value in all of its valid pixels.

    Pixels that are NaN count as pixels without data; one valid pixel alone is not judged.
    """

    rule: Literal["not_constant"] = "not_constant"
    iso_element: ClassVar[str] = "thematic accuracy"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    per_block: bool = Field(
        False, description="Judge each block by itself, which finds dead tiles."
    )
    block_size: Pixels | None = Field(
        None, description="Side of a block in pixels; the blocks of the source unless given."
    )


class NoStripes(RasterValidityRule):
    """No dropped lines: rows without data, or of one value only, between rows that vary."""

    rule: Literal["no_stripes"] = "no_stripes"
    iso_element: ClassVar[str] = "completeness"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    max_rows: Pixels | None = Field(
        None, description="More successive lines are an area and no stripe; no limit unless given."
    )
    direction: Literal["rows", "columns"] = Field("rows", description="Lines to look at.")


class PercentileBounds(ContractModel):
    """Bounds of one percentile."""

    at: float = Field(ge=0, le=100, description="Percentile, 50 is the median.")
    min: Finite | None = Field(None, description="Smallest value that is accepted.")
    max: Finite | None = Field(None, description="Largest value that is accepted.")


class Statistics(RasterValidityRule):
    """Mean, standard deviation and percentiles of the valid pixels lie within bounds.

    They are exact, whatever the windows. A percentile is the nearest rank: the smallest value that
    at least that share of the pixels does not exceed. NaN and infinite pixels are left out.
    """

    rule: Literal["statistics"] = "statistics"
    iso_element: ClassVar[str] = "thematic accuracy"
    needs: ClassVar[Needs] = Needs(
        (("mean",), ("std",), ("percentiles",), ("other", "max_change")), several=True
    )
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    mean: Span | None = Field(None, description="[smallest, largest] mean; null for no bound.")
    std: Span | None = Field(
        None, description="[smallest, largest] standard deviation; null for no bound."
    )
    percentiles: tuple[PercentileBounds, ...] | None = Field(
        None, min_length=1, description="Percentiles with their bounds: {at, min, max}."
    )
    other: Other | None = Field(
        None, description="Raster to compare with, such as the last published version."
    )
    max_change: NotNegative | None = Field(
        None, description="Accepted change of mean and of standard deviation, as a share."
    )

    def others(self) -> tuple[Other, ...]:
        """The raster to compare with, when the contract names one."""
        return () if self.other is None else (self.other,)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        spans = [s for s in (self.mean, self.std) if s is not None]
        spans += [(p.min, p.max) for p in self.percentiles or ()]
        for low, high in spans:
            if any(b is not None and not math.isfinite(b) for b in (low, high)):
                msg = "bounds are finite numbers, or null"
                raise ValueError(msg)
            if low is not None and high is not None and low > high:
                msg = "the smallest value is larger than the largest"
                raise ValueError(msg)
        return self


class NoVoids(RasterValidityRule):
    """No connected area of nodata pixels is larger than allowed. Each is reported with its area."""

    rule: Literal["no_voids"] = "no_voids"
    iso_element: ClassVar[str] = "completeness"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    max_area: Area | None = Field(
        None, description="Voids up to this area are accepted; none unless a bound is given."
    )
    max_width: Length | None = Field(
        None, description="Diameter of the largest circle in a void that is accepted."
    )
    ignore_edge: bool = Field(
        False, description="Voids that touch the edge of the raster are accepted."
    )
    allowed: OtherDataset | OtherSource | None = Field(
        None, description="Polygons in which pixels need no data: known voids, or the outside."
    )

    def needs_crs(self) -> bool:
        """Polygons are placed by their CRS."""
        return self.allowed is not None

    def others(self) -> tuple[Other, ...]:
        """The polygons of allowed voids, when the contract names them."""
        return () if self.allowed is None else (self.allowed,)

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - the same for every kind
        """Polygons allow voids."""
        return "vector"


class PixelExpression(RasterValidityRule):
    """An expression over the bands is true for every pixel that is valid in all of them."""

    rule: Literal["pixel_expression"] = "pixel_expression"
    iso_element: ClassVar[str] = "thematic accuracy"
    band: ClassVar[int] = 1
    bands: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Band | str] = Field(
        min_length=1,
        description="Name → 1-based band of this raster, or uri of another one on the same grid, "
        "of which the first band is read.",
    )
    expression: str = Field(
        min_length=1, description="SQL condition (DuckDB) over the names; null is not true."
    )

    def others(self) -> tuple[Other, ...]:
        """The rasters that bands name, in the order of the names."""
        return tuple(
            OtherSource(uri=b, layer=None) for b in self.bands.values() if isinstance(b, str)
        )


class NoSpikesInSurface(RasterValidityRule):
    """No pixel of a surface stands out from a neighbour (left, right, above, below) too steeply.

    Heights are the stored values with the scale of the band; distances are in the units of the
    CRS, or in metres on the ellipsoid where these are degrees.
    """

    rule: Literal["no_spikes_in_surface"] = "no_spikes_in_surface"
    iso_element: ClassVar[str] = "thematic accuracy"
    needs: ClassVar[Needs] = Needs.some("max_slope", "max_step")
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    max_slope: Annotated[float, Field(gt=0, lt=90)] | None = Field(
        None, description="Steepest slope between two neighbours, in degrees."
    )
    max_step: Positive | None = Field(
        None, description="Largest difference of two neighbours, in the unit of the heights."
    )

    def needs_crs(self) -> bool:
        """A slope needs distances on the ground."""
        return self.max_slope is not None


class OverviewsMatch(ValidityRule):
    """The overviews of the source are those of its pixels as they are now.

    GDAL builds the overviews again from the staged raster, with the same factors. Each connected
    region of different pixels of a level is a violation. ``cloud_optimized`` judges whether there
    are overviews at all.
    """

    rule: Literal["overviews_match"] = "overviews_match"
    scope: ClassVar[Scope] = Scope.COMPARISON
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    resampling: Literal[
        "nearest", "average", "mode", "bilinear", "cubic", "cubic_spline", "lanczos", "gauss", "rms"
    ] = Field("nearest", description="Method by which the overviews were made, as GDAL names it.")
    tolerance: NotNegative = Field(0.0, description="Accepted difference of pixel values.")
    levels: tuple[Annotated[int, Field(ge=2)], ...] | None = Field(
        None,
        min_length=1,
        description="Factors of the overviews that are judged and must be there: 2, 4, 8, … "
        "Default: all that are there.",
    )


class MinPatchSize(RasterValidityRule):
    """Connected patches of one value are at least so large: the mapping unit of a raster."""

    rule: Literal["min_patch_size"] = "min_patch_size"
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.one("pixels", "area")
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
    pixels: Pixels | None = Field(None, description="Smallest number of pixels of a patch.")
    area: Area | None = Field(None, description="Smallest area of a patch.")
    values: tuple[int | Finite, ...] | None = Field(
        None, min_length=1, description="Values whose patches are judged; all unless given."
    )
    connectivity: Literal[4, 8] = Field(
        4, description="8 when pixels that touch at a corner are connected."
    )
    except_at_border: bool = Field(
        False, description="Patches that touch the edge of the raster may be cut, and smaller."
    )

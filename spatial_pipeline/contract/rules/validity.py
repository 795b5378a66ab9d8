"""Rules about single geometries and pixels."""

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import (
    RASTER,
    Area,
    ClassLimits,
    Fraction,
    NotNegative,
    Other,
    OtherDataset,
    OtherSource,
    Rule,
)
from spatial_pipeline.contract.rules.usable import ONE_NUMBER, Needs
from spatial_pipeline.contract.vocabulary import Bounds, Family, Kind, Scope

Band = Annotated[int, Field(ge=1)]


class ValidityRule(Rule):
    """A rule of the validity family."""

    family: ClassVar[Family] = Family.VALIDITY
    iso_element: ClassVar[str] = "logical consistency"


class NotEmpty(ValidityRule):
    """Every feature has a geometry that is not empty."""

    rule: Literal["not_empty"] = "not_empty"
    scope: ClassVar[Scope] = Scope.FEATURE
    allow_null: bool = Field(False, description="Accept null geometries, but not empty ones.")


class FiniteCoordinates(ValidityRule):
    """No coordinate is NaN or infinite, including Z and M."""

    rule: Literal["finite_coordinates"] = "finite_coordinates"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)


class ValidGeometry(ValidityRule):
    """Every geometry is valid by OGC Simple Features. Each defect is reported with its place."""

    rule: Literal["valid_geometry"] = "valid_geometry"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    all_errors: bool = Field(
        False, description="Report all errors of a feature, not only the first that GEOS finds."
    )


class NoHoles(ValidityRule):
    """Polygons have no holes."""

    rule: Literal["no_holes"] = "no_holes"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    tolerance: Area = Field(0.0, description="Holes of at most this area are accepted.")


class SinglePart(ValidityRule):
    """Every geometry has one part."""

    rule: Literal["single_part"] = "single_part"
    scope: ClassVar[Scope] = Scope.FEATURE


class LimitRule(ValidityRule):
    """A rule with one bound, or with one for each class of features."""

    scope: ClassVar[Scope] = Scope.FEATURE
    needs: ClassVar[Needs] = Needs.one("value", "limits")
    limits: ClassLimits | None = Field(
        None,
        description="Limits per class, instead of value: {by: column, values: {class: limit}}.",
    )

    metres: bool = Field(
        False,
        description="Bounds are in metres or square metres; where the CRS is in degrees they are "
        "measured on its ellipsoid (geodesics).",
    )

    def columns(self) -> tuple[str, ...]:
        """The column that names the class."""
        return () if self.limits is None else (self.limits.by,)

    def needs_crs(self) -> bool:
        """Only metres depend on the CRS."""
        return self.metres


class MinArea(LimitRule):
    """Polygons have at least a minimum area (the minimum mapping unit)."""

    rule: Literal["min_area"] = "min_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Minimum area.")
    by_part: bool = Field(False, description="Check each part of a multipolygon separately.")
    except_at_border: bool = Field(
        False,
        description="Accept polygons at the edge of the dataset's extent, which may be clipped.",
    )


class NoDuplicateGeometries(ValidityRule):
    """No geometry occurs twice. Start and direction of rings do not matter; Z is not compared.

    Without a tolerance, each copy is reported with the first occurrence; with one, every pair.
    """

    rule: Literal["no_duplicate_geometries"] = "no_duplicate_geometries"
    scope: ClassVar[Scope] = Scope.DATASET
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    tolerance: NotNegative = Field(
        0.0, description="Maximum distance of corresponding vertices, in units of the CRS."
    )
    with_columns: tuple[str, ...] = Field(
        (), description="Columns that must be equal as well for features to be duplicates."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.with_columns


class RasterValidityRule(ValidityRule):
    """A rule over the pixels of a raster."""

    scope: ClassVar[Scope] = Scope.WINDOW
    kinds: ClassVar[frozenset[Kind]] = RASTER


class ReadablePixels(RasterValidityRule):
    """Every block of every band and overview decodes."""

    rule: Literal["readable_pixels"] = "readable_pixels"
    judges_unreadable_source: ClassVar[bool] = True
    iso_element: ClassVar[str] = "format consistency"


class PixelRange(RasterValidityRule):
    """Valid pixels are within bounds. Each connected region outside is one violation."""

    rule: Literal["pixel_range"] = "pixel_range"
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    min: float | None = Field(None, description="Smallest stored value.")
    max: float | None = Field(None, description="Largest stored value.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        bounds = [b for b in (self.min, self.max) if b is not None]
        if any(math.isnan(b) for b in bounds):
            msg = "min and max are numbers, not NaN"
            raise ValueError(msg)
        if bounds != sorted(bounds):
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class NodataFraction(RasterValidityRule):
    """The fraction of nodata pixels has an upper limit."""

    rule: Literal["nodata_fraction"] = "nodata_fraction"
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = ONE_NUMBER
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    max: Fraction = Field(description="Maximum fraction of nodata pixels.")
    within: OtherDataset | OtherSource | Bounds | None = Field(
        None, description="Polygons or [xmin, ymin, xmax, ymax]; only pixel centres inside count."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if isinstance(self.within, tuple):
            xmin, ymin, xmax, ymax = self.within
            finite = all(math.isfinite(b) for b in self.within)
            if not (finite and xmin < xmax and ymin < ymax):
                msg = "within is [xmin, ymin, xmax, ymax]"
                raise ValueError(msg)
        return self

    def needs_crs(self) -> bool:
        """Polygons are placed by their CRS, a box is in that of the raster."""
        return bool(self.others())

    def others(self) -> tuple[Other, ...]:
        """The polygons that limit the area, when the contract names them."""
        return () if self.within is None or isinstance(self.within, tuple) else (self.within,)

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - the same for every kind
        """Polygons limit the area."""
        return "vector"

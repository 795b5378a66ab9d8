"""Rules about single geometries and pixels."""

from __future__ import annotations

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
    """Every feature has a geometry, and it is not empty."""

    rule: Literal["not_empty"] = "not_empty"
    scope: ClassVar[Scope] = Scope.FEATURE
    allow_null: bool = Field(False, description="A null geometry is accepted, an empty one is not.")


class FiniteCoordinates(ValidityRule):
    """No coordinate is NaN or infinite (Z and M too)."""

    rule: Literal["finite_coordinates"] = "finite_coordinates"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)


class ValidGeometry(ValidityRule):
    """Every geometry is valid after OGC Simple Features; reason and place of each defect."""

    rule: Literal["valid_geometry"] = "valid_geometry"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    all_errors: bool = Field(
        False, description="Report all errors of a feature, not only the first that GEOS names."
    )


class NoHoles(ValidityRule):
    """Polygons have no holes."""

    rule: Literal["no_holes"] = "no_holes"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    tolerance: Area = Field(0.0, description="Holes up to this area are accepted.")


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
        description="Bounds by class, in place of value: {by: column, values: {class: bound}}.",
    )

    def columns(self) -> tuple[str, ...]:
        """The column that names the class."""
        return () if self.limits is None else (self.limits.by,)


class MinArea(LimitRule):
    """Polygons are at least so large (the minimum mapping unit)."""

    rule: Literal["min_area"] = "min_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Smallest area that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multipolygon by itself.")
    except_at_border: bool = Field(
        False, description="Polygons that touch the bounds of the dataset may be cut, and smaller."
    )


class NoDuplicateGeometries(ValidityRule):
    """Each geometry occurs once, whatever the start and direction of its rings.

    Without a tolerance every copy is reported with the first; with one, every pair. Z is not
    compared.
    """

    rule: Literal["no_duplicate_geometries"] = "no_duplicate_geometries"
    scope: ClassVar[Scope] = Scope.DATASET
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    tolerance: NotNegative = Field(
        0.0, description="Largest distance between corresponding vertices, units of the CRS."
    )
    with_columns: tuple[str, ...] = Field(
        (), description="Only features with equal values in these columns are duplicates."
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
    """Valid pixels lie within bounds; connected regions of violations are outlined."""

    rule: Literal["pixel_range"] = "pixel_range"
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
    min: float | None = Field(None, description="Smallest value, as stored.")
    max: float | None = Field(None, description="Largest value, as stored.")

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
    """The share of pixels without data is bounded."""

    rule: Literal["nodata_fraction"] = "nodata_fraction"
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = ONE_NUMBER
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
    max: Fraction = Field(description="Largest share of pixels without data.")
    within: OtherDataset | OtherSource | Bounds | None = Field(
        None, description="Only pixels whose centre lies in these polygons, or in this box, count."
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

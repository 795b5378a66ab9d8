"""Rules about the profile of a raster: size, grid, bands, compression, tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import RASTER, NotNegative
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.rules.usable import NO_PLACES, ONE_FACT, Needs
from spatial_pipeline.contract.vocabulary import Kind, Scope

Names = Annotated[tuple[str, ...], Field(min_length=1)]
Pixels = Annotated[int, Field(ge=1)]


class RasterMetadataRule(MetadataRule):
    """A rule about what a raster declares."""

    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES


class Size(RasterMetadataRule):
    """The raster has the specified number of columns and rows."""

    rule: Literal["size"] = "size"
    equals: tuple[Pixels, Pixels] = Field(description="[columns, rows] in pixels.")


class Compression(RasterMetadataRule):
    """The pixels have the specified compression; NONE means uncompressed."""

    rule: Literal["compression"] = "compression"
    iso_element: ClassVar[str] = "format consistency"
    needs: ClassVar[Needs] = Needs.one("equals", "any_of")
    equals: str | None = Field(None, min_length=1, description="Compression, named as in GDAL.")
    any_of: Names | None = Field(None, description="Accepted compressions.")


class BandNames(RasterMetadataRule):
    """The bands have the specified names, in this order."""

    rule: Literal["band_names"] = "band_names"
    equals: Names = Field(description="Name of each band; empty text for a band without a name.")


class ColorInterpretation(RasterMetadataRule):
    """The bands have the specified color interpretation: red, green, blue, gray and so on."""

    rule: Literal["color_interpretation"] = "color_interpretation"
    equals: Names = Field(
        description="Color interpretation of each band, named as in GDAL; case is ignored."
    )


class ScaleOffset(RasterMetadataRule):
    """Every band declares the specified scale, offset and unit."""

    rule: Literal["scale_offset"] = "scale_offset"
    needs: ClassVar[Needs] = Needs.some("scale", "offset", "unit")
    scale: float | None = Field(None, description="Factor for pixel values.")
    offset: float | None = Field(None, description="Offset added after scaling.")
    unit: str | None = Field(None, description="Unit of the scaled values.")
    tolerance: NotNegative = Field(0.0, description="Accepted relative difference.")


class NotRotated(RasterMetadataRule):
    """The grid is north-up: no rotation, no shear, rows from north to south, pixels with a size."""

    rule: Literal["not_rotated"] = "not_rotated"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT


class RasterMetadata(RasterMetadataRule):
    """The raster has the required tags, with the specified values."""

    rule: Literal["raster_metadata"] = "raster_metadata"
    iso_element: ClassVar[str] = "completeness"
    tags: dict[str, str | None] = Field(
        min_length=1, description="Value of each required tag; null: any value."
    )

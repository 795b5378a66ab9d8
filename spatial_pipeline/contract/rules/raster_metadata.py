"""Rules about the profile of a raster: size, grid, bands, compression, tags."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from spatial_pipeline.contract.rules.base import RASTER, NotNegative, Other, Positive
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


DataType = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip


class BandCount(RasterMetadataRule):
    """The raster has the specified number of bands."""

    rule: Literal["band_count"] = "band_count"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: int = Field(ge=1, description="Number of bands.")


class DataTypeRule(RasterMetadataRule):
    """Every band has the specified data type."""

    rule: Literal["data_type"] = "data_type"
    needs: ClassVar[Needs] = Needs.one("equals", "any_of")
    equals: DataType | None = Field(None, description="Data type of every band.")
    any_of: tuple[DataType, ...] | None = Field(
        None, min_length=1, description="Allowed data types."
    )


class Nodata(RasterMetadataRule):
    """Every band declares the specified nodata value (``null``: none, ``nan``: NaN)."""

    rule: Literal["nodata"] = "nodata"
    equals: int | float | None = Field(
        description="Nodata value of every band, exact for integers of any size; null: none."
    )

    @field_validator("equals", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            msg = "true and false are not nodata values"
            raise ValueError(msg)  # noqa: TRY004 - pydantic turns it into a mistake of the contract
        return value


class Resolution(RasterMetadataRule):
    """The raster has the specified pixel size."""

    rule: Literal["resolution"] = "resolution"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: Positive | tuple[Positive, Positive] = Field(
        description="Pixel size, or [x, y], in units of the CRS."
    )
    tolerance: NotNegative = Field(1e-9, description="Accepted difference, in units of the CRS.")


class GridAlignment(RasterMetadataRule):
    """The pixel grid is aligned with a given grid, or with that of another raster."""

    rule: Literal["grid_alignment"] = "grid_alignment"
    needs: ClassVar[Needs] = Needs((("origin", "resolution"), ("other",)))
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    origin: tuple[float, float] | None = Field(
        None, description="Corner of any cell of the grid: [x, y]."
    )
    resolution: Positive | tuple[Positive, Positive] | None = Field(
        None, description="Pixel size of the grid, or [x, y]."
    )
    other: Other | None = Field(None, description="Raster that defines the grid.")
    tolerance: NotNegative = Field(
        0.01, description="Accepted offset at any corner, as a fraction of a pixel."
    )

    def others(self) -> tuple[Other, ...]:
        """The raster whose grid counts, when the contract names one."""
        return () if self.other is None else (self.other,)


class CloudOptimized(RasterMetadataRule):
    """The source is a Cloud Optimized GeoTIFF."""

    rule: Literal["cloud_optimized"] = "cloud_optimized"
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    strict: bool = Field(False, description="Treat warnings of the validator as violations.")

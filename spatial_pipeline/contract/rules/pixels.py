"""Rules about the pixels of one raster."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    Finite,
)
from spatial_pipeline.contract.rules.validity import Band, RasterValidityRule

Pixels = Annotated[int, Field(ge=1)]
Span = tuple[float | None, float | None]


class PixelValues(RasterValidityRule):
    """Valid pixels hold values of a list, as class codes do; regions of others are outlined."""

    rule: Literal["pixel_values"] = "pixel_values"
    iso_element: ClassVar[str] = "domain consistency"
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
    values: tuple[int | Finite, ...] = Field(
        min_length=1, description="Values that are accepted, as stored."
    )


class NoNan(RasterValidityRule):
    """No valid pixel is NaN or infinite; NaN that is declared as nodata is not valid."""

    rule: Literal["no_nan"] = "no_nan"
    iso_element: ClassVar[str] = "domain consistency"
    band: Band | None = Field(None, description="1-based band; all bands unless given.")


class NotConstant(RasterValidityRule):
    """No band, and no block, holds a single value in all of its valid pixels.

    Pixels that are NaN count as pixels without data; one valid pixel alone is not judged.
    """

    rule: Literal["not_constant"] = "not_constant"
    iso_element: ClassVar[str] = "thematic accuracy"
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
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
    band: Band | None = Field(None, description="1-based band; all bands unless given.")
    max_rows: Pixels | None = Field(
        None, description="More successive lines are an area and no stripe; no limit unless given."
    )
    direction: Literal["rows", "columns"] = Field("rows", description="Lines to look at.")

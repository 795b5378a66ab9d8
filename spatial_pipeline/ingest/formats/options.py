"""Read options of a source: layer, encoding and condition from its contract."""

from __future__ import annotations

from dataclasses import dataclass

PIXELS_PER_BYTE = 100_000
"""Most pixels a raster may declare for each byte of its files, unless the settings say otherwise.

A sparse or constant GeoTIFF with blocks of 512 × 512 pixels has about 16,000.
"""


@dataclass(frozen=True)
class ReadOptions:
    """Options of a contract for reading its source.

    Attributes:
        layer: layer of a container with several, None for the only one.
        encoding: encoding of text that the file does not declare, None when not stated.
        where: SQL condition that features must meet.
        pixels_per_byte: most pixels that a raster may declare for each byte of its files.
        overview: 1-based overview that is read in place of the raster, 0 for the raster itself.

    """

    layer: str | None = None
    encoding: str | None = None
    where: str | None = None
    pixels_per_byte: int = PIXELS_PER_BYTE
    overview: int = 0

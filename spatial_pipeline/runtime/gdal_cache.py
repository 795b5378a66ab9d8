"""Limit on GDAL's cache of decoded blocks.

Rasters are read block by block here, each block once, so a cache gains nothing: GDAL's default
bound, a twentieth of the machine's memory, is filled with blocks that are never requested again.
Allocating that memory took a quarter of the time of a check of pixels.
"""

from __future__ import annotations

import os

from rasterio.env import get_gdal_config, set_gdal_config

NAME = "GDAL_CACHEMAX"
LIMIT = 64 << 20
"""Bytes: the blocks of some windows, for sources whose blocks do not fit the windows."""


def bound() -> None:
    """Bounds the cache of this process; ``GDAL_CACHEMAX`` and smaller bounds take precedence."""
    # rasterio passes this option in bytes; GDAL itself reads small numbers as megabytes.
    if NAME not in os.environ and get_gdal_config(NAME) > LIMIT:
        set_gdal_config(NAME, LIMIT)


__all__ = ["bound"]

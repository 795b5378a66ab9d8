"""Overviews of a staged raster, built again as GDAL builds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from spatial_pipeline.errors import RuleError
from spatial_pipeline.ingest import gdal_messages, raster_windows


def built(base: Path, target: Path, factors: Sequence[int], resampling: str) -> Path:
    """Copies a raster without its overviews, and builds others.

    GDAL works block by block, with the pixels around that the kernel needs. It makes a level from
    the one before where the method allows it, so all factors are built together.

    Args:
        base: staged raster.
        target: GeoTIFF to write.
        factors: factors of the levels.
        resampling: name of a member of ``rasterio.enums.Resampling``.

    Raises:
        RuleError: GDAL cannot build them.

    """
    options = {**raster_windows.OPTIONS, "GDAL_TIFF_INTERNAL_MASK": True}
    try:
        with gdal_messages.silenced(), rasterio.Env(**options):
            rasterio.shutil.copy(
                str(base), target, driver="GTiff", TILED="YES", BIGTIFF="IF_SAFER",
                COPY_SRC_OVERVIEWS="NO",
            )  # fmt: skip
            with rasterio.open(target, "r+") as dataset:
                dataset.build_overviews(list(factors), Resampling[resampling])
    except RasterioError as exc:
        msg = f"overviews cannot be built with {resampling}: {exc}"
        raise RuleError(msg) from exc
    return target

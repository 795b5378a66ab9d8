"""Random GeoTIFF files: as the rules see them once staged, and as GDAL describes them."""

from __future__ import annotations

import math
import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.support import MemoryRaster, memory_raster

NUMBERS = st.integers(0, 23)
"""Files to draw from; each is written and staged once a process."""
TYPES = ("uint8", "int16", "uint16", "float32", "float64")
COMPRESSIONS = ("DEFLATE", "LZW", "ZSTD", "PACKBITS", None)
ROLES = (ColorInterp.gray, ColorInterp.red, ColorInterp.green, ColorInterp.alpha)
NAMES = ("red", "nir", "", "Höhe")
TAGS = ("SENSOR", "SOURCE")


@dataclass(frozen=True)
class RasterFile:
    """One file.

    Attributes:
        data: what rules read of the staged version.
        truth: GDAL's description of the file before it was staged.

    """

    data: MemoryRaster
    truth: dict[str, Any]


@cache
def raster_file(number: int) -> RasterFile:
    """The file of a number."""
    chance = random.Random(number)
    count, data_type = chance.randint(1, 3), chance.choice(TYPES)
    width, height = chance.randint(1, 40), chance.randint(1, 40)
    angle = math.pi / 6 if chance.random() < 0.2 else 0.0
    across, down = chance.choice((1, 10, 0.5)), chance.choice((-1, -10, -0.5, 2))
    cos, sin = math.cos(angle), math.sin(angle)
    transform = Affine(across * cos, -down * sin, 5e5, across * sin, down * cos, 4e6)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.tif"
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count, dtype=data_type,
            crs="EPSG:32633", transform=transform, compress=chance.choice(COMPRESSIONS),
            nodata=chance.choice((None, 0, 255)),
        ) as file:  # fmt: skip
            file.write(np.ones((count, height, width), data_type))
            file.colorinterp = [chance.choice(ROLES) for _ in range(count)]
            file.scales = [chance.choice((1.0, 0.1)) for _ in range(count)]
            file.offsets = [chance.choice((0.0, -273.15)) for _ in range(count)]
            file.units = [chance.choice(("", "K")) for _ in range(count)]
            for band in range(count):
                file.set_band_description(band + 1, chance.choice(NAMES))
            file.update_tags(**{t: chance.choice("ab") for t in TAGS if chance.random() < 0.6})
        with rasterio.open(path) as file:
            compression = file.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION")
            truth = {
                "size": (file.width, file.height), "count": file.count, "types": file.dtypes,
                "nodata": file.nodatavals, "compression": compression, "tags": file.tags(),
                "names": [d or "" for d in file.descriptions], "scales": file.scales,
                "roles": [c.name for c in file.colorinterp], "offsets": file.offsets,
                "units": [u or "" for u in file.units], "transform": file.transform,
            }  # fmt: skip
        contract = RasterContract.model_validate({"name": "file", "source": {"uri": str(path)}})
        pipeline = Pipeline.of([contract], Settings(store=Path(folder) / "store"))
        staged = pipeline.store.profile(pipeline.stage(contract))
    fields = {
        name: getattr(staged, name)
        for name in ("transform", "bands", "compression", "tags", "crs", "mask_flags")
    }
    return RasterFile(memory_raster(np.zeros((count, height, width), np.uint8), **fields), truth)


__all__ = ["COMPRESSIONS", "NUMBERS", "TAGS", "TYPES", "RasterFile", "raster_file"]

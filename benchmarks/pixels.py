"""All pixel rules in one pass over a uint16 raster, beside GDAL's statistics and bare decoding.

    python benchmarks/pixels.py --features 16384 --repeat 3

``--features`` is the side of the raster in pixels. The answer is the number of valid pixels.
"""

from __future__ import annotations

from pathlib import Path

import turns

RULES = [
    {"rule": "readable_pixels"},
    {"rule": "pixel_range", "min": 1, "max": 60_000},
    {"rule": "nodata_fraction", "max": 0.5},
]


def generate(folder: Path, side: int) -> None:
    """Writes and stages a tiled, compressed raster of smooth values, a tenth without data."""
    import numpy as np
    import rasterio
    from product import staged
    from rasterio.windows import Window

    random = np.random.default_rng(7)
    with rasterio.open(
        folder / "raster.tif", "w", driver="GTiff", width=side, height=side, count=1,
        dtype="uint16", nodata=0, crs="EPSG:32633", tiled=True, blockxsize=512, blockysize=512,
        compress="deflate", predictor=2, transform=(10, 0, 500_000, 0, -10, 5_000_000),
    ) as raster:  # fmt: skip
        for row in range(0, side, 512):
            height = min(512, side - row)
            y, x = np.mgrid[row : row + height, 0:side]
            noise = random.integers(0, 16, y.shape)
            values = (20_000 + 8_000 * np.sin(x / 700) * np.cos(y / 900) + noise).astype(np.uint16)
            values[:, : side // 10] = 0
            raster.write(values, 1, window=Window(0, row, side, height))
    staged(folder / "raster.tif", "raster")


def ours(folder: Path, threads: int) -> turns.Measured:
    """All rules through the engine."""
    from product import checked, staged

    pipeline, of, version = staged(folder / "raster.tif", "raster", rules=RULES)
    seconds, found = checked(pipeline, of, version, threads)
    ranged = next(r for r, _ in found if r.rule == "pixel_range")
    return seconds, ranged.checked


def _staged(folder: Path) -> Path:
    from product import staged

    pipeline, _, version = staged(folder / "raster.tif", "raster")
    return pipeline.store.data_path(version)


def gdal(folder: Path, _threads: int) -> turns.Measured:
    """``gdalinfo -stats`` on a copy: it reads every pixel in one thread; counts are in per cent."""
    import shutil
    import subprocess

    copy = folder / "copy.tif"
    shutil.copyfile(_staged(folder), copy)
    copy.with_name("copy.tif.aux.xml").unlink(missing_ok=True)
    command = ["gdalinfo", "-stats", str(copy)]
    return turns.timed(lambda: subprocess.run(command, check=True, capture_output=True))[0], None


def decoding(folder: Path, threads: int) -> turns.Measured:
    """Every block of the staged file decoded in threads, and nothing else."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import rasterio
    from rasterio.windows import Window

    path, of_thread = _staged(folder), threading.local()
    with rasterio.open(path) as raster:
        width, height = raster.width, raster.height

    def read(row: int) -> None:
        if not hasattr(of_thread, "raster"):
            of_thread.raster = rasterio.open(path)
        of_thread.raster.read(1, window=Window(0, row, width, min(512, height - row)))

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(read, range(0, height, 512)))

    return turns.timed(run)[0], None


SIDES = {
    "spatial_pipeline": turns.Side(ours, peer=False),
    "gdalinfo -stats": turns.Side(gdal, peer=False),
    "bare decoding": turns.Side(decoding, peer=False),
}

if __name__ == "__main__":
    turns.race(
        Path(__file__), "all pixel rules in one pass over a uint16 raster of N × N pixels",
        generate, SIDES, {"gdalinfo -stats": "3", "bare decoding": "at least 0.77"}, 16_384,
    )  # fmt: skip

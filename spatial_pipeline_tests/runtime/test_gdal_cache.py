from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import rasterio
from rasterio.env import get_gdal_config, set_gdal_config

from spatial_pipeline.runtime import gdal_cache


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(gdal_cache.NAME, raising=False)
    before = get_gdal_config(gdal_cache.NAME)
    yield
    set_gdal_config(gdal_cache.NAME, before)


@pytest.mark.parametrize(("before", "after"), [(1 << 30, gdal_cache.LIMIT), (1000, 1000)])
def test_the_cache_is_bounded_and_never_grows(before: int, after: int) -> None:
    set_gdal_config(gdal_cache.NAME, before)
    gdal_cache.bound()
    assert get_gdal_config(gdal_cache.NAME) == after


def test_what_the_environment_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gdal_cache.NAME, "512")
    set_gdal_config(gdal_cache.NAME, 512 << 20)
    gdal_cache.bound()
    assert get_gdal_config(gdal_cache.NAME) == 512 << 20


def test_a_check_of_pixels_bounds_it(tmp_path: object) -> None:
    """In a process of its own: the bound is the process's."""
    path = f"{tmp_path}/a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=8, height=8, count=1, dtype="uint8", tiled=True,
        blockxsize=16, blockysize=16, transform=(1, 0, 0, 0, -1, 8), crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(np.ones((1, 8, 8), dtype=np.uint8))
    program = (
        "import sys, rasterio.env\n"
        "from pathlib import Path\n"
        "from spatial_pipeline.contract.models import RasterContract\n"
        "from spatial_pipeline.pipeline.pipeline import Pipeline\n"
        "from spatial_pipeline.settings import Settings\n"
        "of = RasterContract(name='a', source={'uri': sys.argv[1]})\n"
        "pipeline = Pipeline.of([of], Settings(store=Path(sys.argv[1]).parent / 'store'))\n"
        "data = pipeline.store.open(pipeline.stage(of))\n"
        "print(data.read(0, 0, 8, 8).values.sum(), rasterio.env.get_gdal_config('GDAL_CACHEMAX'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == ["64", str(gdal_cache.LIMIT)]

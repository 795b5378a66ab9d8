from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shapely import Point, box

from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report import scene
from spatial_pipeline.report.scene import EMPTY, picture_of, scene_of
from spatial_pipeline.store.staged import StagedRaster
from spatial_pipeline_tests.support import memory_vector


def at(shape: Any, *rows: int) -> Violations:
    return Violations.build([list(rows) or [-1]], "x", [shape])


CELLS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40)


@settings(deadline=None)
@given(CELLS, CELLS, st.integers(1, 7))
def test_features_in_or_near_a_violation_are_drawn(cells: Any, defects: Any, batch: int) -> None:
    shapes = [None, Point(), *(box(x, y, x + 1, y + 1) for x, y in cells)]
    data: Any = memory_vector(shapes, batch_size=batch)
    found = [at(box(x, y, x + 2, y + 1)) for x, y in defects]
    drawn = scene_of(data, found)
    spread = [shape for shape in shapes if shape is not None and not shape.is_empty]
    width, height = np.ptp(shapely.total_bounds(np.array(spread)).reshape(2, 2), axis=0)
    reach = max(2.0, np.sqrt(width * height / len(shapes)))
    expected = [
        row for row, shape in enumerate(shapes)
        if shape is not None and not shape.is_empty and any(
            shapely.intersects(shape, box(x - reach, y - reach, x + 2 + reach, y + 1 + reach))
            for x, y in defects
        )
    ]  # fmt: skip
    assert drawn.rows.tolist() == expected
    assert drawn.omitted == 0


def test_the_features_involved_are_drawn_wherever_they_are() -> None:
    shapes = [box(i, 0, i + 1, 1) for i in range(0, 1000, 10)]
    data: Any = memory_vector(shapes, rows=list(range(100, 200)), batch_size=9)
    drawn = scene_of(data, [at(Point(5, 5), 150, 177), at(None, 199)])
    assert {150, 177, 199} <= set(drawn.rows.tolist())
    assert drawn.around[drawn.rows.tolist().index(177)] == shapes[77]
    assert len(drawn.overview) == 100


def test_what_is_drawn_is_bounded_and_what_is_left_out_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scene, "MAX_AROUND", 5)
    monkeypatch.setattr(scene, "MAX_VERTICES", 21)
    shapes = [Point(0, 0).buffer(2), *(box(0, 0, 1, 1) for _ in range(9))]
    data: Any = memory_vector(shapes, batch_size=4)
    drawn = scene_of(data, [at(box(0, 0, 1, 1), 0, 7)])
    assert drawn.rows.tolist() == [1, 2, 3, 7]
    assert drawn.omitted == 6


def test_a_table_has_no_background() -> None:
    data: Any = memory_vector([None], geometry_column=None)
    assert scene_of(data, [at(None, 0)]) is EMPTY


def raster(folder: Path, values: Any, kind: str = "GTiff", **more: Any) -> Any:
    path = folder / "r.tif"
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver=kind, count=bands, height=height, width=width, dtype=values.dtype,
        crs="EPSG:32633", transform=(10, 0, 500000, 0, -10, 5e6), **more,
    ) as out:  # fmt: skip
        out.write(values)
        colours = [c.name for c in out.colorinterp]
    profile = RasterProfile(
        "r.tif", "GTiff", width=width, height=height, transform=(10, 0, 500000, 0, -10, 5e6),
        bands=tuple(BandProfile(str(values.dtype), color_interpretation=c) for c in colours),
    )  # fmt: skip
    return StagedRaster(path, profile, "v")


def test_a_raster_is_read_at_reduced_size_with_its_grid(tmp_path: Path) -> None:
    heights = np.linspace(0, 100, 3000 * 1500, dtype=np.float32).reshape(1, 1500, 3000)
    heights[0, :, :30] = -1
    drawn = scene_of(raster(tmp_path, heights, nodata=-1), [])
    picture = drawn.picture
    assert picture is not None
    assert (picture.width, picture.height) == (1000, 500)
    assert picture.transform == pytest.approx((30, 0, 500000, 0, -30, 5e6))
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)))
    assert pixels.shape == (500, 1000, 2)
    assert not pixels[:, :9, 1].any()
    assert pixels[:, 11:, 1].all()
    assert pixels[0, 20, 0] == 0
    assert pixels[-1, -1, 0] == 255
    assert (np.diff(pixels[:, 500, 0].astype(int)) >= 0).all()


def test_three_bands_of_colours_are_a_coloured_picture(tmp_path: Path) -> None:
    colours = np.zeros((3, 4, 4), np.uint8)
    colours[0, :2], colours[2, 2:] = 200, 250
    picture = picture_of(raster(tmp_path, colours, photometric="RGB"))
    assert picture is not None
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)))
    assert pixels[0, 0].tolist() == [200, 0, 0, 255]
    assert pixels[3, 3].tolist() == [0, 0, 250, 255]


@pytest.mark.parametrize("value", [0, 7])
def test_a_raster_of_one_value_and_one_of_none_have_a_picture(tmp_path: Path, value: int) -> None:
    flat = np.full((1, 3, 3), value, np.int32)
    for nodata in (None, value):
        assert picture_of(raster(tmp_path, flat, nodata=nodata)) is not None


def test_an_unreadable_raster_has_none() -> None:
    broken: Any = StagedRaster(Path("none"), RasterProfile("none", error="gone"), "v")
    assert picture_of(broken) is None

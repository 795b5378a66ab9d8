"""Grids of text: texts among the numbers, missing ones and more than there are pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from spatial_pipeline.ingest.integrity import text_grids
from spatial_pipeline_tests.ingest.sources import staged_raster

HEADS = {
    "a.asc": "ncols 3\nnrows 3\nxllcorner 0\nyllcorner 0\ncellsize 1\nNODATA_value -9999\n",
    "one line.asc": "NCOLS 3 NROWS 3 XLLCENTER 0 YLLCENTER 0 DX 1 DY 1\n",
    "a.txt": "north: 3\nsouth: 0\neast: 3\nwest: 0\nrows: 3\ncols: 3\nnull: -9\ntype: float\n",
    "a.isg": "begin_of_head ====\nmodel name : x\nlat min = 40.0\nlat max = 43.0\nlon min = 10.0\n"
    "lon max = 13.0\ndelta lat = 1.0\ndelta lon = 1.0\nnrows = 3\nncols = 3\nnodata = -9999.0\n"
    "ISG format = 1.0\nend_of_head ====\n",
    "a.grd": "DSAA\n3 3\n0 2\n0 2\n1 9\n",
}
SOUND = ["1 2 3\n4 5 6\n7 8 9\n", " 1   2\t3\r\n4 5 6 7 8\r\n9", "1 -2.5 3e2\n.5 5. +6\n7 8 9"]


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("size", [1 << 24, 7])
@pytest.mark.parametrize("numbers", SOUND)
@pytest.mark.filterwarnings("ignore")
def test_sound(
    name: str, size: int, numbers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_grids, "_CHUNK", size)
    path = tmp_path / name
    path.write_text(HEADS[name] + numbers, newline="")
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    with rasterio.open(staged) as raster:
        found = raster.read(1)
        wanted = [float(n) for n in numbers.split()]
        if name == "a.grd":
            found = found[::-1]
        assert found.ravel().tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("size", [1 << 24, 7])
@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ("1 2 3\n4 x 6\n7 8 9\n", "row 1, column 1: 'x' is not a number"),
        ("1 2 3\n4 5-6 6\n7 8 9\n", "row 1, column 1: '5-6' is not a number"),
        ("1 2 3\n4 5 6\n7 8\n", "promises 9 numbers, it holds 8"),
        ("1 2 3\n4 5 6\n7 8 9 10 11\n", "promises 9 numbers, it holds 11"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_damage(
    name: str, size: int, numbers: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_grids, "_CHUNK", size)
    path = tmp_path / name
    path.write_text(HEADS[name] + numbers)
    profile, _ = staged_raster(path, tmp_path / "s")
    assert reason in str(profile.error)


@pytest.mark.parametrize(
    ("least", "cut", "valid"), [(0, 0, 25), (1, 0, 25), (0, 20, None), (1, 20, 22)]
)
@pytest.mark.filterwarnings("ignore")
def test_points(least: int, cut: int, valid: int | None, tmp_path: Path) -> None:
    text = "".join(f"{x} {y} {x * y + least}\n" for y in range(5) for x in range(5))
    (tmp_path / "a.xyz").write_text(text[: len(text) - cut])
    profile, staged = staged_raster(tmp_path / "a.xyz", tmp_path / "s")
    if valid is None:
        assert "lines for 25 pixels" in str(profile.error)
    else:
        assert profile.error is None
        with rasterio.open(staged) as raster:
            assert int((raster.read_masks(1) > 0).sum()) == valid

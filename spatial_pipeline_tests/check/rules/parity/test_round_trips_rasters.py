"""What a raster format does not keep."""

import dataclasses

import numpy as np
import pytest

from spatial_pipeline.contract.rules.parity import RoundTrips
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile
from spatial_pipeline_tests.support import memory_raster, run_rule

VALUES = np.arange(2 * 20 * 30, dtype="uint16").reshape(2, 20, 30)


def judged(here, *there, jobs=1, **parameters):
    return run_rule(RoundTrips(format="PNG", **parameters), here, *there, jobs=jobs)


def reasons(result):
    return [v.reason for v in result.sample]


def test_nothing_changed():
    for jobs, block in ((1, 16), (2, 7)):
        here = memory_raster(VALUES, nodata=0, block=block)
        result, violations = judged(here, memory_raster(VALUES, nodata=0), jobs=jobs)
        assert result.status is Status.PASSED
        assert result.message == "PNG keeps 1199 pixels and their metadata"
        assert not len(violations)


def test_pixels():
    other = VALUES.copy()
    other[1, 3:5, 4:6] += 2
    answers = []
    for jobs, block in ((1, 64), (2, 4)):
        result, violations = judged(
            memory_raster(VALUES, block=block), memory_raster(other), jobs=jobs
        )
        answers.append((dataclasses.replace(result, elapsed_s=0.0), list(violations.reasons)))
    assert answers[0] == answers[1]
    result = answers[0][0]
    assert (result.checked, result.violations) == (1200, 4)
    assert reasons(result) == ["band 2: differs by 2"]
    assert result.message.startswith("4 of 1200 pixels differ")
    assert violations.geometry[0].area == 4
    result, _ = judged(memory_raster(VALUES), memory_raster(other), tolerance=2)
    assert result.passed
    assert judged(memory_raster(VALUES), memory_raster(other), ignore=["pixels"])[0].passed


BANDS = tuple(BandProfile("uint16", 0, f"band {i}", "gray", 0.1, 2.0, "m") for i in range(2))


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"data_type": "uint8"}, "data_type", "data_type uint16, read back as uint8"),
        ({"nodata": None}, "nodata", "nodata 0, read back as none"),
        ({"description": None}, "description", "description band 1, read back as none"),
        ({"scale": 1.0}, "scale", "scale 0.1, read back as 1.0"),
        ({"offset": 0.0}, "offset", "offset 2.0, read back as 0.0"),
        ({"unit": None}, "unit", "unit m, read back as none"),
        (
            {"color_interpretation": "alpha"},
            "color_interpretation",
            "color_interpretation gray, read back as alpha",
        ),
    ],
)
def test_bands(change, name, reason):
    here = memory_raster(VALUES, bands=BANDS)
    there = memory_raster(VALUES, bands=(BANDS[0], dataclasses.replace(BANDS[1], **change)))
    result, violations = judged(here, there)
    assert result.violations == 1
    assert reasons(result) == [f"band 2: {reason}"]
    assert result.message == f"band 2: {reason}"
    assert violations.rows.tolist() == [[-1]]
    result, _ = judged(here, there, ignore=[name])
    assert result.passed
    assert result.message.endswith(f"accepted without a look: {name}")


def test_tags():
    here = memory_raster(VALUES, tags={"author": "me", "AREA_OR_POINT": "Area"})
    assert judged(here, memory_raster(VALUES, tags={"author": "me", "more": "x"}))[0].passed
    there = memory_raster(VALUES, tags={"AREA_OR_POINT": "Point"})
    assert sorted(reasons(judged(here, there)[0])) == [
        "tag AREA_OR_POINT: Area, read back as Point",
        "tag author: me, read back as none",
    ]
    assert judged(here, there, ignore=["tags"])[0].passed


def test_the_grid():
    here = memory_raster(VALUES)
    there = memory_raster(VALUES, crs=None, transform=(2, 0, 0, 0, -2, 0))
    result, _ = judged(here, there)
    assert reasons(result) == ["grid: read back as no CRS, not WGS 84 / UTM zone 33N"]
    assert "pixels not compared: the grids differ" in result.message
    smaller = memory_raster(VALUES[:, :10])
    assert reasons(judged(here, smaller)[0]) == ["grid: read back as 30 × 10 pixels, not 30 × 20"]


def test_bands_that_are_lost():
    result, _ = judged(memory_raster(VALUES), memory_raster(VALUES[:1]))
    assert reasons(result) == ["2 bands written, 1 read back"]
    assert judged(memory_raster(VALUES), memory_raster(VALUES[:1]), ignore=["count"])[0].passed


def test_masks():
    valid = np.ones(VALUES.shape, dtype=bool)
    valid[0, 0, :3] = False
    result, _ = judged(memory_raster(VALUES, valid=valid), memory_raster(VALUES))
    assert result.violations == 3
    assert "3 of them have data on one side only" in result.message


def test_what_cannot_be_judged():
    result, _ = judged(memory_raster(VALUES), memory_raster(VALUES), ignore=["colour"])
    assert result.status is Status.ERROR
    assert result.message.startswith("ignore: colour is not one of grid, count, data_type")
    assert judged(memory_raster(VALUES))[0].message == "nothing was read back from PNG"
    empty, _ = judged(memory_raster(np.zeros((1, 0, 0))), memory_raster(np.zeros((1, 0, 0))))
    assert empty.status is Status.ERROR

import struct

import numpy as np
import shapely

from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BrokenBlock
from spatial_pipeline_tests.check.agreement import everywhere, said
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

CURVE = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
BOXES = [shapely.box(i, 0, i + 1, 1) for i in range(5)]


def test_a_whole_source_passes():
    result, violations = everywhere(Readable(), [*BOXES, None, shapely.Polygon()])
    assert (result.status, result.checked, violations) == (Status.PASSED, 7, [])


def test_an_empty_source_passes():
    result, _ = everywhere(Readable(), [])
    assert (result.status, result.checked) == (Status.PASSED, 0)


def test_an_unreadable_source_fails_and_is_named():
    error = "cannot be read behind record 12"
    data = memory_vector([], uri="roads.gpkg", layer="roads", error=error)
    result, violations = run_rule(Readable(max_violations=5), data)
    assert result.status is Status.FAILED
    assert result.message == f"roads.gpkg, layer roads: {error}"
    assert said(violations) == [((), result.message, None, None, -1, -1, -1)]


def test_every_record_that_does_not_decode_is_found():
    result, violations = everywhere(Readable(), [BOXES[0], b"\x01", BOXES[1], CURVE], uri="a.shp")
    assert [(f[0], f[1]) for f in violations] == [
        ((1,), "geometry does not decode: Unexpected EOF parsing WKB"),
        (
            (3,),
            "geometry does not decode: Nonlinear geometry types are not currently supported",
        ),
    ]
    assert (result.checked, result.violations) == (4, 2)
    assert result.message.startswith("a.shp: geometry does not decode: Unexpected EOF")
    assert result.message.endswith("and 1 more")


def test_records_that_ingest_lost_are_found_staged_or_not():
    result, violations = everywhere(Readable(), [BOXES[0], None], undecodable=(1, 9))
    assert [f[0] for f in violations] == [(1,), (9,)]
    assert result.violations == 2


def test_records_that_went_missing_after_staging_are_found():
    result, violations = run_rule(Readable(), memory_vector(BOXES, count=6, batch_size=2))
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["6 records were staged, 5 can be read"]


def test_what_ingest_noted_is_said():
    result, _ = everywhere(Readable(), BOXES, notes=("several geometry columns",))
    assert result.message == "5 checked; several geometry columns"


def test_a_source_without_geometry_is_readable():
    data = memory_vector([None] * 3, {"a": [1, 2, 3]}, geometry_column=None)
    assert run_rule(Readable(), data)[0].passed


def test_a_whole_raster_passes():
    result, _ = run_rule(Readable(), memory_raster(np.zeros((2, 20, 30)), block=16), jobs=2)
    assert (result.status, result.checked) == (Status.PASSED, 600)


def test_an_unreadable_raster_fails():
    data = memory_raster(np.zeros((1, 2, 2)), uri="dem.tif", error="not recognized")
    result, _ = run_rule(Readable(), data)
    assert (result.status, result.message) == (Status.FAILED, "dem.tif: not recognized")


def test_every_broken_block_is_named_and_outlined():
    blocks = (
        BrokenBlock(1, 0, 2, 3, (0, -2, 2, 0), "ZSTD failed"),
        BrokenBlock(2, 1, 0, 0, (2, -4, 4, -2), "cut off"),
    )
    data = memory_raster(np.zeros((2, 4, 4)), uri="dem.tif", broken_blocks=blocks)
    result, violations = run_rule(Readable(), data)
    assert [(f[1], f[2]) for f in said(violations)] == [
        (
            "band 1, block row 2, block column 3 does not decode: ZSTD failed",
            shapely.to_wkt(shapely.box(0, -2, 2, 0)),
        ),
        (
            "band 2, overview 1, block row 0, block column 0 does not decode: cut off",
            shapely.to_wkt(shapely.box(2, -4, 4, -2)),
        ),
    ]
    assert result.message.startswith("dem.tif: band 1, block row 2")


def test_missing_pixels_are_found():
    data = memory_raster(np.zeros((1, 4, 4)), height=5)
    result, violations = run_rule(Readable(), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["20 pixels were staged, 16 can be read"]

import struct
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import shapely

from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.geometry.unjudged import (
    EMPTY,
    NULL,
    THREE_D,
    decoding_error,
    notes,
    summary,
    undecodable,
)
from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.violations import Violations
from spatial_pipeline_tests.support import memory_vector, run_rule

CURVE = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)


def line(*xy):
    return struct.pack("<BII", 1, 2, len(xy)) + b"".join(struct.pack("<dd", *p) for p in xy)


def batch(wkb):
    n = len(wkb)
    return FeatureBatch(np.arange(n), np.arange(n), pa.table({}), pa.array(wkb, pa.binary()), None)


def test_what_does_not_decode_is_told_apart_from_null():
    wkb = [line((0, 0), (1, 1)), None, b"\x01", CURVE, None]
    profile = VectorProfile(uri="x", undecodable=(4,))
    assert undecodable(batch(wkb), profile).tolist() == [False, False, True, True, True]
    assert not undecodable(batch([]), profile).any()


def test_a_batch_with_a_curve_keeps_its_other_geometries():
    assert [g is not None for g in batch([line((0, 0), (1, 1)), CURVE]).geometry] == [True, False]


def test_errors_of_decoding_are_one_plain_line():
    assert decoding_error(b"\x01") == "Unexpected EOF parsing WKB"
    assert decoding_error(CURVE) == "Nonlinear geometry types are not currently supported"
    assert decoding_error(line((0, 0))) == "point array must contain 0 or >1 elements"
    assert "damaged" in decoding_error(None)


def test_notes_count_each_kind():
    assert notes(Counter({NULL: 1, EMPTY: 2, THREE_D: 3})) == (
        "1 null geometry not judged",
        "2 empty geometries not judged",
        "3 geometries with Z or M, judged in the XY plane",
    )
    assert notes(Counter({NULL: 0})) == ()


def test_summary_names_the_frequent_reasons_first():
    reasons = ["b", "a", "a", "c", "d", "d", "d"]
    assert summary(Violations.build(np.arange(7), reasons)) == "3 × d, 2 × a, 1 × b, and 1 more"
    assert summary(Violations.none()) == ""


def test_places_lie_on_the_geometries():
    nan = float("nan")
    geometry = batch(
        [
            shapely.to_wkb(shapely.box(0, 0, 2, 2)),
            None,
            shapely.to_wkb(shapely.Polygon()),
            line((nan, nan), (3, 4)),
            struct.pack("<BIdd", 1, 1, nan, 1.0),
            shapely.to_wkb(shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])),
        ]
    ).geometry
    found = places(geometry)
    assert [p is None for p in found] == [False, True, True, False, True, False]
    assert shapely.contains(geometry[0], found[0])
    assert found[3] == shapely.Point(3, 4)
    assert len(places(np.empty(0, dtype=object))) == 0


@pytest.mark.parametrize("count", [0, 2])
def test_without_a_geometry_column_the_rule_is_an_error(count):
    data = memory_vector([None] * count, {"a": list(range(count))}, geometry_column=None)
    bare = FeatureBatch(
        data.everything.rows, data.everything.positions, data.everything.table, None, None
    )
    data.everything = bare
    result, _ = run_rule(NotEmpty(), data)
    assert (result.status, result.message) == (
        "error",
        "needs geometry: the source has no geometry column",
    )

"""Structure of WKB: ends, nesting and bytes left over, against GEOS."""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.model import wkb
from spatial_pipeline.model.features import decoded

TEXTS = [
    "POINT (1 2)", "POINT EMPTY", "POINT ZM (1 2 3 4)", "LINESTRING EMPTY",
    "LINESTRING Z (1 2 3, 4 5 6)",
    "POLYGON ((0 0, 1 0, 1 1, 0 0), (0 0, 1 0, 1 1, 0 0))", "POLYGON EMPTY",
    "MULTIPOINT ((1 2), EMPTY)",
    "MULTILINESTRING M ((1 2 3, 4 5 6), EMPTY)", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), EMPTY)",
    "GEOMETRYCOLLECTION (POINT (1 2), GEOMETRYCOLLECTION (LINESTRING (0 0, 1 1)))",
    "GEOMETRYCOLLECTION EMPTY",
]  # fmt: skip
GEOMETRY = np.array([shapely.from_wkt(t) for t in TEXTS])


def nested(depth: int, order: str = "<") -> bytes:
    head = struct.pack(order + "BII", order == "<", 7, 1)
    return head * depth + struct.pack(order + "BIdd", order == "<", 1, 1, 2)


@given(st.lists(st.integers(0, len(TEXTS) - 1)), st.integers(0, 9), st.sampled_from([0, 1]))
def test_bytes_left_over_are_counted(rows: list[int], more: int, order: int) -> None:
    geometry = GEOMETRY[np.array(rows, dtype=np.int64)]
    raw = shapely.to_wkb(geometry, flavor="iso", byte_order=order)
    assert [wkb.end(w) for w in raw] == [len(w) for w in raw]
    longer = pa.array([w + bytes(more) for w in raw], pa.binary())
    assert wkb.trailing(longer, geometry).tolist() == [more] * len(rows)


def test_an_srid_is_no_rest() -> None:
    geometry = shapely.set_srid(GEOMETRY, 4326)
    raw = shapely.to_wkb(geometry, include_srid=True)
    assert not wkb.trailing(pa.array(raw, pa.binary()), geometry).any()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_geometry_that_would_end_the_process_is_not_decoded(order: str) -> None:
    given = np.array([nested(100_000, order), nested(wkb.MAX_NESTING - 1, order), None], object)
    assert [g is None for g in decoded(given)] == [True, False, True]


@given(st.sampled_from(TEXTS), st.data())
def test_damaged_bytes_end_or_are_refused(text: str, data: st.DataObject) -> None:
    raw = bytearray(shapely.to_wkb(shapely.from_wkt(text), flavor="iso"))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert 0 < wkb.end(bytes(raw)) <= len(raw)
    except wkb.WkbError:
        return

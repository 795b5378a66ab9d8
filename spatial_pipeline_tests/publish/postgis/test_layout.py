"""Types that a staged file holds: its metadata where it says all, else the geometries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.ingest import opened
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.publish.postgis import layout
from spatial_pipeline.publish.postgis.wkb_types import types_of

SHAPES = [
    "POINT (1 2)", "POINT Z (1 2 3)", "POINT EMPTY", "POINT Z EMPTY", "POINT M (1 2 3)",
    "POLYGON ((0 0, 1 0, 1 1, 0 0))", "POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))", "POLYGON Z EMPTY",
    "MULTIPOINT (1 2, 3 4)", "MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))",
    "LINESTRING ZM (0 0 1 2, 1 1 1 2)", "GEOMETRYCOLLECTION (POINT (1 2))",
]  # fmt: skip
MULTIPOINT_Z_EMPTY = bytes.fromhex("01ec03000000000000")
"""GEOS reads it as one without Z, and so do the types in the metadata."""
WKB = [None, MULTIPOINT_Z_EMPTY, *shapely.to_wkb(shapely.from_wkt(SHAPES), flavor="iso").tolist()]
GEO = {"version": "1.1.0", "primary_column": "geometry",
       "columns": {"geometry": {"encoding": "WKB", "geometry_types": [], "crs": None}}}  # fmt: skip


def staged(folder: Path, shapes: Sequence[bytes | None]) -> tuple[Path, VectorProfile]:
    source = folder / "areas.parquet"
    ids = pa.array(range(len(shapes)), pa.int64())
    table = pa.table({"id": ids, "bbox.xmin": ids, "geometry": pa.array(shapes, pa.binary())})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(GEO)}), source)
    with opened("vector", Source(uri=str(source)), None, folder) as reading:
        profile = reading.ingest(folder, None)
    assert isinstance(profile, VectorProfile)
    return folder / "data.parquet", profile


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(WKB), min_size=1, max_size=5))
@example([WKB[10], MULTIPOINT_Z_EMPTY])
@example([WKB[2], WKB[6]])
def test_types_are_those_of_the_geometries(shapes: list[bytes | None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, profile = staged(Path(folder), shapes)
        wkb = pq.read_table(path, columns=["geometry"])["geometry"].combine_chunks()
        found = layout.layout_of(path, profile, (), TableName("gis", "areas")).wanted.found
        assert found == types_of(wkb.cast(pa.binary()))


def test_geometries_are_read_only_where_the_metadata_do_not_say_all(tmp_path: Path) -> None:
    path, profile = staged(tmp_path, [WKB[2], WKB[8]])
    with patch.object(layout, "types_of", side_effect=AssertionError):
        found = layout.layout_of(path, profile, (), TableName("gis", "areas")).wanted.found
    assert {str(t) for t in found} == {"Point", "PolygonZ"}

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely

from spatial_pipeline.ingest.conformance import geoparquet
from spatial_pipeline_tests.ingest.sources import staged_vector

SQUARE = shapely.box(0, 0, 2, 1).normalize().reverse()
COLUMN = {
    "encoding": "WKB", "geometry_types": ["Polygon"], "bbox": [0, 0, 2, 1],
    "orientation": "counterclockwise", "edges": "planar", "epoch": 2021.5,
    "crs": pyproj.CRS("EPSG:32633").to_json_dict(),
}  # fmt: skip


def written(
    path: Path,
    geo: Any = None,
    wkb: bytes | None = None,
    box: Any = None,
    single: Sequence[str] = (),
    **column: Any,
) -> Path:
    """A file of one polygon; ``single`` are sides of its box in 32 bits."""
    box = box or {"xmin": 0.0, "ymin": 0.0, "xmax": 2.0, "ymax": 1.0}
    kind = pa.struct([(k, pa.float32() if k in single else pa.float64()) for k in box])
    boxes = pa.array([box], kind)
    table = pa.table({"geometry": [wkb or shapely.to_wkb(SQUARE)], "bbox": boxes, "other": boxes})
    described = {k: v for k, v in {**COLUMN, **column}.items() if v is not ...}
    value = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": described}}
    if isinstance(geo, dict):
        value.update(geo)
    text = geo if isinstance(geo, str) else json.dumps(value)
    metadata = {} if geo == "" else {"geo": text}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def codes(path: Path, folder: Path) -> set[str]:
    profile, _ = staged_vector(path, folder)
    assert profile.conformance is not None
    return {f.code for f in profile.conformance.findings}


COVERING = {"bbox": {k: ["bbox", k] for k in ("xmin", "ymin", "xmax", "ymax")}}
FAR = {"xmin": 5.0, "ymin": 0.0, "xmax": 6.0, "ymax": 1.0}
GOOD: list[dict[str, Any]] = [
    {}, {"covering": COVERING}, {"geometry_types": []}, {"crs": None}, {"crs": ...},
    {"orientation": ...}, {"bbox": [0, 0, 0, 2, 1, 9]}, {"geo": {"version": "1.0.0"}},
]  # fmt: skip
BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("geo", {"geo": ""}), ("geo", {"geo": "{"}), ("geo", {"geo": "[]"}),
    ("version", {"geo": {"version": "0.4.0"}}), ("version", {"geo": {"version": None}}),
    ("primary_column", {"geo": {"primary_column": "shape"}}),
    ("primary_column", {"geo": {"primary_column": 5}}),
    ("columns", {"geo": {"columns": {}}}), ("columns", {"geo": {"columns": {"geometry": 1}}}),
    ("column", {"geo": {"columns": {"geometry": COLUMN, "other": COLUMN}}}),
    ("encoding", {"encoding": "WKT"}), ("geometry_types", {"geometry_types": ["Square"]}),
    ("geometry_types", {"geometry_types": ["Point"]}), ("geometry_types", {"geometry_types": ...}),
    ("geometry_types", {"geometry_types": ["Polygon", "Polygon"]}),
    ("crs", {"crs": "EPSG:4326"}), ("crs", {"crs": {"type": "nonsense"}}),
    ("edges", {"edges": "curved"}), ("orientation", {"orientation": "clockwise"}),
    ("orientation", {"wkb": shapely.to_wkb(SQUARE.reverse())}),
    ("bbox", {"bbox": [0, 0, 1, 1]}), ("bbox", {"bbox": [1, 2]}), ("bbox", {"bbox": [0, 5, 2, 1]}),
    ("epoch", {"epoch": "now"}), ("covering", {"covering": {}}),
    ("covering", {"covering": {"bbox": {**COVERING["bbox"], "xmin": ["no", "xmin"]}}}),
    ("covering", {"covering": {"bbox": {**COVERING["bbox"], "xmin": ["bbox", "ymin"]}}}),
    ("covering", {"covering": {"bbox": {**COVERING["bbox"], "zmin": ["bbox", "xmin"]}}}),
    ("covering", {"covering": {"bbox": {**COVERING["bbox"], "xmin": ["other", "xmin"]}}}),
    ("covering", {"covering": COVERING, "box": FAR}),
    ("covering", {"covering": COVERING, "single": ["xmin"]}),
    ("geometry_types", {"geometry_types": None}), ("bbox", {"bbox": ["0", "0", "2", "1"]}),
    ("bbox", {"bbox": [2, 0, 0, 1]}),
    ("WKB", {"wkb": struct.pack("<BI3d", 1, 2001, 1, 2, 3), "geometry_types": []}),
    ("WKB", {"wkb": struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0), "geometry_types": []}),
    ("WKB", {"wkb": shapely.to_wkb(shapely.set_srid(SQUARE, 4326), include_srid=True)}),
]  # fmt: skip


@pytest.mark.parametrize("change", GOOD)
def test_a_good_file_has_no_finding(change: dict[str, Any], tmp_path: Path) -> None:
    assert codes(written(tmp_path / "a.parquet", **change), tmp_path / "s") == set()


@pytest.mark.parametrize(("code", "change"), BROKEN)
def test_a_broken_file_is_found_by_its_field(
    code: str, change: dict[str, Any], tmp_path: Path
) -> None:
    assert code in codes(written(tmp_path / "a.parquet", **change), tmp_path / "s")


def test_every_requirement_is_broken_by_a_file() -> None:
    assert {c for c, _ in BROKEN} == set(geoparquet.REQUIREMENTS[geoparquet.STANDARD])


XY = pa.struct([("x", pa.float64()), ("y", pa.float64())])
RING = [{"x": float(x), "y": float(y)} for x, y in SQUARE.exterior.coords]
NATIVE: list[tuple[str | None, pa.Array, dict[str, Any]]] = [
    (None, pa.array([[RING]], pa.list_(pa.list_(XY))), {}),
    ("orientation", pa.array([[RING[::-1]]], pa.list_(pa.list_(XY))), {}),
    ("encoding", pa.array([[RING]], pa.list_(pa.list_(XY))), {"version": "1.0.0"}),
    ("column", pa.array([[RING]], pa.list_(pa.list_(pa.struct([("x", "f4"), ("y", "f4")])))), {}),
    ("column", pa.array([[[[0.0, 0], [2, 0], [2, 1], [0, 0]]]],
                        pa.list_(pa.list_(pa.list_(pa.float64(), 2)))), {}),
    ("column", pa.array([RING], pa.list_(XY)), {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "values", "geo"), NATIVE)
def test_native_encodings(
    code: str | None, values: pa.Array, geo: dict[str, Any], tmp_path: Path
) -> None:
    column = {"encoding": "polygon", "geometry_types": ["Polygon"],
              "orientation": "counterclockwise"}  # fmt: skip
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": column}, **geo}
    table = pa.table({"g": values}).replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert codes(tmp_path / "a.parquet", tmp_path / "s") == ({code} if code else set())

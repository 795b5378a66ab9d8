"""GeoParquet: the ``geo`` metadata, its columns, and the WKB in them.

Codes are the names of the fields of the metadata, which is how validators of the format speak.

Source: GeoParquet 1.1.0 (OGC), sections "File metadata" and "Column metadata".
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.conformance.rings import against_right_hand
from spatial_pipeline.ingest.formats import nested_wkb
from spatial_pipeline.ingest.formats.geoarrow import ENCODINGS, to_wkb
from spatial_pipeline.model.features import decoded

STANDARD = "GeoParquet 1.1"
REQUIREMENTS = {
    STANDARD: ("geo", "version", "primary_column", "columns", "column", "encoding",
               "geometry_types", "crs", "edges", "orientation", "bbox", "epoch", "covering",
               "WKB"),
}  # fmt: skip
VERSIONS = frozenset({"1.0.0", "1.1.0"})
BATCH_ROWS = 16384
_TYPES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
          "GeometryCollection")  # fmt: skip
_NAMES = frozenset({*_TYPES, *(f"{t} Z" for t in _TYPES)})
_BOX = ("xmin", "ymin", "xmax", "ymax")
_HEIGHTS = ("zmin", "zmax")
_EXTENDED = 0xE000_0000
"""Flags of PostGIS' EWKB in the number of a type; ISO WKB adds 1000 for Z."""


def judge(file: Path) -> Judge:
    """The findings about a GeoParquet file, without those that need its features."""
    found = Judge("GeoParquet", REQUIREMENTS)
    try:
        opened = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as exc:
        found.fail("geo", f"it is not a Parquet file: {' '.join(str(exc).split())[:200]}")
        return found
    with opened:
        geo = _metadata(found, (opened.metadata.metadata or {}).get(b"geo"))
        if geo is None:
            return found
        schema: pa.Schema = opened.schema_arrow
        for name, column in geo["columns"].items():
            _column(found, opened, schema, name, column, geo.get("version"))
    return found


def compare(found: Judge, file: Path, types: frozenset[str], extent: Bounds | None) -> None:
    """Compares what the metadata declares of the primary column with its features.

    Args:
        found: takes the findings.
        file: the file.
        types: GeoParquet names of the types that occur.
        extent: extent of the features, None when there is none.

    """
    geo = json.loads(pq.read_metadata(file).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    if found.clean("geometry_types"):
        declared = set(column["geometry_types"])
        others = sorted(types - declared) if declared else []
        told = f"{', '.join(others)} occur and are not declared"
        found.expect("geometry_types", not others, told)
    box = column.get("bbox")
    if box is not None and found.clean("bbox") and extent is not None:
        half = len(box) // 2
        west, south, east, north = box[0], box[1], box[half], box[half + 1]
        inside = south <= extent[1] and extent[3] <= north
        # A box whose west is east of its east crosses the antimeridian.
        inside &= west > east or (west <= extent[0] and extent[2] <= east)
        shown = ", ".join(f"{v:.10g}" for v in extent)
        found.expect("bbox", inside, f"the features extend over [{shown}], beyond {box}")


def _metadata(found: Judge, raw: bytes | None) -> dict[str, Any] | None:
    """The metadata, or None where nothing more can be judged."""
    if not found.expect("geo", raw is not None, "the file metadata has no key geo"):
        return None
    try:
        geo = json.loads(raw or b"")
    except ValueError as exc:
        found.fail("geo", f"the value of geo is not JSON: {exc}")
        return None
    if not found.expect("geo", isinstance(geo, dict), "the value of geo is not an object"):
        return None
    version = geo.get("version")
    told = f"the version is {version!r}, none of {', '.join(sorted(VERSIONS))}"
    found.expect("version", version in VERSIONS, told)
    primary, columns = geo.get("primary_column"), geo.get("columns")
    named = isinstance(primary, str) and bool(primary)
    found.expect("primary_column", named, f"primary_column is {primary!r}, not a name")
    if not isinstance(columns, dict) or not columns:
        found.fail("columns", "columns is not an object with a member for each geometry column")
        return None
    if named:
        found.expect("primary_column", primary in columns, f"columns does not describe {primary}")
    described: dict[str, Any] = geo
    return described


def _column(
    found: Judge, opened: pq.ParquetFile, schema: pa.Schema, name: str, column: Any, version: Any
) -> None:
    if not found.expect("columns", isinstance(column, dict), f"columns.{name} is not an object"):
        return
    if not found.expect("column", name in schema.names, f"there is no column {name} at the root"):
        return
    encoding = column.get("encoding")
    known = encoding == "WKB" or encoding in ENCODINGS
    found.expect("encoding", known, f"the encoding of {name} is {encoding!r}")
    kind = schema.field(name).type
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    binary = pa.types.is_binary(storage) or pa.types.is_large_binary(storage)
    if encoding == "WKB":
        found.expect("column", binary, f"the column {name} of WKB has the type {kind}, not binary")
    elif known:
        told = f"the encoding {encoding!r} of {name} is not one of version {version}"
        found.expect("encoding", version != "1.0.0", told)
        told = f"the column {name} has the type {kind}, which is not the encoding {encoding!r}"
        found.expect("column", _is_native(storage, encoding), told)
    _types(found, name, column)
    _reference_system(found, name, column)
    edges = column.get("edges", "planar")
    found.expect("edges", edges in {"planar", "spherical"}, f"the edges of {name} are {edges!r}")
    orientation = column.get("orientation", "counterclockwise")
    told = f"the orientation of {name} is {orientation!r}"
    found.expect("orientation", orientation == "counterclockwise", told)
    _box(found, name, column)
    epoch = column.get("epoch", 0.0)
    numeric = isinstance(epoch, int | float) and not isinstance(epoch, bool)
    found.expect("epoch", numeric, f"the epoch of {name} is {epoch!r}, not a number")
    _covering(found, schema, name, column)
    if encoding == "WKB" and binary:
        _wkb(found, opened, name, oriented="orientation" in column)
    elif "orientation" in column and found.clean("encoding", "column"):
        _directions(found, opened, name, encoding)


def _is_native(kind: pa.DataType, encoding: str) -> bool:
    """True for lists, as deep as an encoding has them, of structs of x, y and z in doubles."""
    for _ in range(nested_wkb.DEPTHS[ENCODINGS[encoding]]):
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            return False
        kind = kind.value_type
    if not pa.types.is_struct(kind) or [f.name for f in kind] not in (["x", "y"], ["x", "y", "z"]):
        return False
    return all(pa.types.is_float64(f.type) for f in kind)


def _types(found: Judge, name: str, column: dict[str, Any]) -> None:
    types = column.get("geometry_types")
    if not isinstance(types, list):
        found.fail("geometry_types", f"the geometry_types of {name} are missing, or no list")
        return
    wrong = [str(t) for t in types if not isinstance(t, str) or t not in _NAMES]
    found.expect("geometry_types", not wrong, f"{', '.join(wrong)} of {name} is not a type")
    twice = len(set(map(str, types))) < len(types)
    found.expect("geometry_types", not twice, f"a type of {name} stands twice in geometry_types")


def _reference_system(found: Judge, name: str, column: dict[str, Any]) -> None:
    crs = column.get("crs")
    if crs is None:
        return
    if not found.expect("crs", isinstance(crs, dict), f"the crs of {name} is not PROJJSON"):
        return
    try:
        pyproj.CRS.from_json_dict(crs)
    except CRSError as exc:
        found.fail(
            "crs", f"the crs of {name} is not understood: {' '.join(str(exc).split())[:200]}"
        )


def _box(found: Judge, name: str, column: dict[str, Any]) -> None:
    if "bbox" not in column:
        return
    box = column["bbox"]
    sound = isinstance(box, list) and len(box) in {4, 6}
    sound = sound and all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in box
    )
    if found.expect("bbox", sound, f"the bbox of {name} is {box!r}, not 4 or 6 numbers"):
        half = len(box) // 2
        # West may be east of east where longitudes go round: at the antimeridian.
        first = 1 if _is_geographic(column.get("crs")) else 0
        ordered = all(box[i] <= box[half + i] for i in range(first, half))
        found.expect("bbox", ordered, f"the bbox of {name} is {box}: a maximum below its minimum")


def _is_geographic(crs: Any) -> bool:
    """True for degrees, and for a CRS that is not known."""
    try:
        return crs is None or bool(pyproj.CRS.from_json_dict(crs).is_geographic)
    except (CRSError, TypeError, AttributeError):
        return True


def _covering(found: Judge, schema: pa.Schema, name: str, column: dict[str, Any]) -> None:
    if "covering" not in column:
        return
    covering = column["covering"]
    box = covering.get("bbox") if isinstance(covering, dict) else None
    if not isinstance(box, dict):
        found.fail("covering", f"the covering of {name} has no bbox")
        return
    sides = [s for s in (*_BOX, *_HEIGHTS) if s in _BOX or s in box]
    told = f"the covering of {name} has one of zmin and zmax"
    found.expect("covering", len(sides) != len(_BOX) + 1, told)
    kinds = [_number_type(schema, box.get(side), side) for side in sides]
    for side, kind in zip(sides, kinds, strict=True):
        told = (
            f"{side} of the covering of {name} is {box.get(side)!r}, no number in a struct column"
        )
        found.expect("covering", kind is not None, told)
    if None not in kinds:
        told = f"the covering of {name} has several columns, or numbers of several types"
        one = len({box[side][0] for side in sides}) == 1 and len(set(kinds)) == 1
        found.expect("covering", one, told)


def _number_type(schema: pa.Schema, path: Any, side: str) -> pa.DataType | None:
    """Type of the floating point field of a side in a struct column; None for other paths."""
    if not isinstance(path, list) or len(path) != 2 or path[1] != side:
        return None
    if path[0] not in schema.names:
        return None
    kind = schema.field(path[0]).type
    if not pa.types.is_struct(kind) or kind.get_field_index(side) < 0:
        return None
    number = kind.field(side).type
    return number if pa.types.is_float32(number) or pa.types.is_float64(number) else None


def _directions(found: Judge, opened: pq.ParquetFile, name: str, encoding: str) -> None:
    """Judges the direction of rings in a native encoding."""
    turned = 0
    for batch in opened.iter_batches(BATCH_ROWS, columns=[name]):
        column = batch.column(0)
        column = column.storage if isinstance(column, pa.ExtensionArray) else column
        wkb, _ = to_wkb(column, encoding)
        geometry = decoded(wkb.drop_null().to_numpy(zero_copy_only=False))
        turned += len(against_right_hand(geometry[~shapely.is_missing(geometry)]))
    _turned(found, name, turned)


def _turned(found: Judge, name: str, count: int) -> None:
    told = f"{count} polygons of {name} are not counterclockwise outside and clockwise inside"
    found.expect("orientation", not count, told)


def _wkb(found: Judge, opened: pq.ParquetFile, name: str, *, oriented: bool) -> None:
    """Judges the heads of all geometries, and the direction of rings where it is declared."""
    extended = broken = foreign = turned = 0
    for batch in opened.iter_batches(BATCH_ROWS, columns=[name]):
        column = batch.column(0)
        column = column.storage if isinstance(column, pa.ExtensionArray) else column
        values = column.drop_null()
        short = pc.less(pc.binary_length(values), 5)
        broken += int(pc.sum(short).as_py() or 0)
        values = values.filter(pc.invert(short))
        heads = b"".join(pc.binary_slice(values, 0, 5).to_pylist())
        table = np.frombuffer(heads, np.uint8).reshape(-1, 5)
        little = table[:, 0] == 1
        words = np.where(little, *(table[:, 1:].copy().view(f"{o}u4")[:, 0] for o in "<>"))
        broken += int(np.count_nonzero(table[:, 0] > 1))
        sound = (table[:, 0] <= 1) & (words & _EXTENDED == 0)
        extended += int(np.count_nonzero(words & _EXTENDED))
        plain = (words % 1000 >= 1) & (words % 1000 <= len(_TYPES)) & (words // 1000 <= 1)
        foreign += int(np.count_nonzero(sound & ~plain))
        if oriented:
            geometry = decoded(values.to_numpy(zero_copy_only=False))
            turned += len(against_right_hand(geometry[~shapely.is_missing(geometry)]))
    found.expect("WKB", not extended, f"{extended} geometries of {name} are EWKB, not ISO WKB")
    found.expect("WKB", not broken, f"{broken} geometries of {name} are not WKB")
    told = f"{foreign} geometries of {name} are of other types, or have M"
    found.expect("WKB", not foreign, told)
    _turned(found, name, turned)

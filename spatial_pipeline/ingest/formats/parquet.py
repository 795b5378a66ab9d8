"""GeoParquet through Arrow, row group by row group."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats import geoarrow
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.integrity.crs_texts import CrsText
from spatial_pipeline.ingest.schema import distinct_names, plain, staged_type
from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
_BOX_LENGTHS = {4: (0, 1, 2, 3), 6: (0, 1, 3, 4), 8: (0, 1, 4, 5)}
"""Positions of xmin, ymin, xmax, ymax in a bbox of XY, XYZ and XYZM."""


@dataclass(frozen=True)
class _Geometry:
    """Description of the primary column in the ``geo`` metadata."""

    name: str
    encoding: str
    crs: str | None
    types: tuple[str, ...]
    bounds: Bounds | None
    covering: str | None


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a (Geo)Parquet file for one pass.

    Raises:
        SourceError: no Parquet file, or its ``geo`` metadata cannot be parsed.

    """
    if options.layer is not None:
        msg = f"a Parquet file has no layers, so there is no layer {options.layer!r}"
        raise SourceError(msg)
    notes: list[str] = []
    with ExitStack() as stack:
        try:
            file = stack.enter_context(pq.ParquetFile(resolved.files[0]))
            described = _described(file, notes)
        except SourceError:
            raise
        except Exception as exc:
            raise SourceError(_reason(exc)) from exc
        yield described


def _described(file: pq.ParquetFile, notes: list[str]) -> Layer:
    source: pa.Schema = file.schema_arrow
    geometry = _geometry(source, _metadata(file), notes)
    helper = None if geometry is None else geometry.covering
    primary = None if geometry is None else source.names.index(geometry.name)
    columns = [i for i, n in enumerate(source.names) if i != primary and n != helper]
    names = distinct_names([source.field(i).name for i in columns])
    types = [staged_type(source.field(i).type) for i in columns]
    fields = [pa.field(n, t) for n, t in zip(names, types, strict=True)]
    if geometry is not None and primary is not None:
        fields.append(pa.field(geometry.name, pa.binary()))
        columns.append(primary)
    schema = pa.schema(fields)
    required = frozenset(
        f.name for f, i in zip(schema, columns, strict=True) if not source.field(i).nullable
    )
    defects = Defects()
    return Layer(
        driver="Parquet",
        name=None,
        crs=None if geometry is None else geometry.crs,
        geometry_type=None if geometry is None else _single(geometry.types),
        geometry=None if geometry is None else geometry.name,
        schema=schema,
        declared_count=file.metadata.num_rows,
        declared_types=frozenset() if geometry is None else frozenset(geometry.types),
        declared_bounds=None if geometry is None else geometry.bounds,
        batches=_batches(file, columns, schema, geometry, defects),
        defects=defects,
        required=required,
        notes=notes,
    )


def _batches(
    file: pq.ParquetFile,
    columns: list[int],
    schema: pa.Schema,
    geometry: _Geometry | None,
    defects: Defects,
) -> Iterator[pa.RecordBatch]:
    read = 0
    for group in range(file.num_row_groups):
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
                arrays = []
                for i, column in zip(columns, schema, strict=True):
                    array = batch.column(i)
                    if geometry is not None and column.name == geometry.name:
                        arrays.append(_wkb(array, geometry, read, defects))
                    else:
                        arrays.append(plain(array, column.type))
                read += batch.num_rows
                if arrays:
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                else:
                    yield batch.select([])
        except SourceError:
            raise
        except Exception as exc:
            msg = f"row group {group} cannot be read: {_reason(exc)}"
            raise SourceError(msg) from exc
    if read != file.metadata.num_rows:
        msg = f"declares {file.metadata.num_rows} features, {read} can be read"
        raise SourceError(msg)


def _wkb(array: pa.Array, geometry: _Geometry, first: int, defects: Defects) -> pa.Array:
    """WKB of geometries, of which the first is in source row ``first``."""
    if geometry.encoding == "WKB":
        return plain(array, pa.binary())
    wkb, broken = geoarrow.to_wkb(plain(array, staged_type(array.type)), geometry.encoding)
    texts = (str(array[i].as_py()) for i in broken.tolist())
    defects.add(first + broken, geometry.name, texts, "has a part or a coordinate that is null")
    return wkb


def _metadata(file: pq.ParquetFile) -> bytes | None:
    """The ``geo`` metadata; writers that go through Arrow keep a second copy, which must agree.

    Raises:
        SourceError: it does not.

    """
    raw: bytes | None = (file.metadata.metadata or {}).get(b"geo")
    copy = (file.schema_arrow.metadata or {}).get(b"geo")
    if copy is not None and copy != raw:
        msg = "its geo metadata and the copy of it in the Arrow schema differ"
        raise SourceError(msg)
    return raw


def _geometry(schema: pa.Schema, raw: bytes | None, notes: list[str]) -> _Geometry | None:
    """The primary geometry column; None for a table without geometry."""
    if raw is None:
        return _extension_geometry(schema, notes)
    try:
        geo = json.loads(raw)
        primary = geo["primary_column"]
        columns = geo["columns"]
        column = columns[primary]
        encoding = column["encoding"]
    except (ValueError, KeyError, TypeError) as exc:
        msg = f"its geo metadata is not GeoParquet: {type(exc).__name__} {exc}"
        raise SourceError(msg) from exc
    if primary not in schema.names:
        msg = f"its geo metadata names a geometry column {primary!r} that is not in the file"
        raise SourceError(msg)
    if encoding not in ["WKB", *geoarrow.ENCODINGS]:
        msg = f"geometry encoding {encoding!r} is unknown"
        raise SourceError(msg)
    others = [c for c in columns if c != primary]
    if others:
        notes.append(f"several geometry columns: {', '.join(others)} staged as attributes")
    if column.get("edges", "planar") != "planar":
        notes.append(f"edges are declared {column['edges']}, judged as planar")
    types = column.get("geometry_types", [])
    covering = _covering(column, schema)
    if covering is not None:
        notes.append(f"covering column {covering} of the source left out, a new one is written")
    return _Geometry(
        name=primary,
        encoding=encoding,
        crs=_crs(column, notes),
        types=tuple(t for t in types if isinstance(t, str)) if isinstance(types, list) else (),
        bounds=_bounds(column.get("bbox")),
        covering=covering,
    )


def _extension_geometry(schema: pa.Schema, notes: list[str]) -> _Geometry | None:
    """A column that Arrow or Parquet itself marks as WKB geometry."""
    for column in schema:
        metadata = column.metadata or {}
        name = metadata.get(b"ARROW:extension:name", b"").decode()
        text = metadata.get(b"ARROW:extension:metadata", b"{}")
        if isinstance(column.type, pa.BaseExtensionType):
            name = column.type.extension_name
            text = column.type.__arrow_ext_serialize__()
        if name not in {"geoarrow.wkb", "ogc.wkb"}:
            continue
        try:
            declared = json.loads(text).get("crs")
        except (ValueError, AttributeError):
            declared = None
        crs = None if declared is None else _understood(declared, "the column's metadata", notes)
        return _Geometry(column.name, "WKB", crs, (), None, None)
    return None


def _crs(column: dict[str, Any], notes: list[str]) -> str | None:
    """WKT2; an absent key means OGC:CRS84 and null means unknown, says the specification."""
    value = column.get("crs", "OGC:CRS84")
    return None if value is None else _understood(value, "the geo metadata", notes)


def _understood(value: Any, where: str, notes: list[str]) -> str | None:
    """WKT2 of a CRS as PROJJSON or text; None with a note when it is none."""
    try:
        return str(pyproj.CRS.from_user_input(value).to_wkt())
    except (CRSError, TypeError, ValueError):
        text = value if isinstance(value, str) else json_text(value)
        notes.append(CrsText(where, text).note())
        return None


def _covering(column: dict[str, Any], schema: pa.Schema) -> str | None:
    try:
        name = column["covering"]["bbox"]["xmin"][0]
    except (KeyError, TypeError, IndexError):
        return None
    known = isinstance(name, str) and name in schema.names
    return name if known and pa.types.is_struct(schema.field(name).type) else None


def _bounds(value: Any) -> Bounds | None:
    if not isinstance(value, list) or len(value) not in _BOX_LENGTHS:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return None
    try:
        xmin, ymin, xmax, ymax = (float(value[i]) for i in _BOX_LENGTHS[len(value)])
    except OverflowError:
        return None
    return (xmin, ymin, xmax, ymax) if all(map(math.isfinite, (xmin, ymin, xmax, ymax))) else None


def _single(types: tuple[str, ...]) -> str:
    return str(types[0]) if len(types) == 1 else "Unknown"


def _reason(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__

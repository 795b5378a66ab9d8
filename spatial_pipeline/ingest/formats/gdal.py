"""Vector layers through GDAL (pyogrio), as streams of Arrow batches."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio
import pyproj
from pyogrio.errors import CRSError as CRSRefused
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import gdal_messages
from spatial_pipeline.ingest.formats import datetimes, geojson, geometry_types
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.ingest.id_runs import IdRuns
from spatial_pipeline.ingest.integrity import crs_texts, drawn_arcs, geopackage, vector
from spatial_pipeline.ingest.schema import distinct_names, free_name, plain, staged_type
from spatial_pipeline.sources.local import SourceFiles

BATCH_ROWS = 16384
BATCH_BYTES = 256 << 20
"""Features of a batch stop here, so that huge geometries do not add up."""
MAX_LISTED = 50
"""Layers that an error names."""
SINGLE_LAYER_DRIVERS = frozenset(
    {"GeoJSON", "GeoJSONSeq", "ESRI Shapefile", "FlatGeobuf", "MapInfo File"}
)
NUMBERED_DRIVERS = frozenset({"GPKG", "OpenFileGDB", "SQLite", "MapInfo File"})
"""Formats that number their features otherwise than by the row from 0."""
_WKB_EXTENSIONS = frozenset({b"geoarrow.wkb", b"ogc.wkb"})
_CONFIGURATION: dict[str, str | int | float | bool] = {
    "OGR_ARROW_MEM_LIMIT": BATCH_BYTES,
    "GML_DOWNLOAD_SCHEMA": False,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{noop}",
    "OGR_ARC_STEPSIZE": drawn_arcs.STEP_DEGREES,
}
"""Bounded batches, nothing fetched from the network by a local file, and a bound for arcs."""


@contextmanager
def open_layer(resolved: SourceFiles, options: ReadOptions) -> Iterator[Layer]:
    """Opens a layer for one pass.

    Args:
        resolved: the source.
        options: the layer, which may be None when there is only one, and its encoding.

    Raises:
        SourceError: GDAL cannot open it, or the layer is missing or ambiguous.

    """
    notes: list[str] = []
    path = resolved.path
    if "!" in path and resolved.member is None:
        msg = "pyogrio takes a path with ! for an archive and its member: rename the file or folder"
        raise SourceError(msg)
    pyogrio.set_gdal_config_options(_CONFIGURATION)
    geometry_types.admit()
    with ExitStack() as stack:
        with _translated(resolved, options):
            vector.before(resolved)
            with gdal_messages.kept(notes):
                info = _info(path, options.layer, resolved.files[0], notes)
        if info["driver"] in {"GeoJSON", "GeoJSONSeq"}:
            # What marks the text stands farther behind than the registry looks.
            yield stack.enter_context(geojson.read_layer(resolved, options))
            return
        with _translated(resolved, options):
            described = _opened(stack, path, info, notes)
            vector.complete(described, resolved)
            if described.crs is None and described.geometry is not None:
                texts = crs_texts.of_vector(described.driver, resolved, described.name)
                described.notes.extend(t.note() for t in texts if not t.told(described.notes))
        yield described


@contextmanager
def _translated(resolved: SourceFiles, options: ReadOptions) -> Iterator[None]:
    """Errors of GDAL and pyogrio in our words.

    Raises:
        SourceError: anything went wrong.

    """
    try:
        yield
    except SourceError:
        raise
    except CRSRefused as exc:
        texts = crs_texts.of_vector("SQLite", resolved, options.layer)
        told = "; ".join(text.note() for text in texts)
        raise SourceError(told or f"the CRS is not understood: {reason_of(exc)}") from exc
    except Exception as exc:
        raise SourceError(reason_of(exc)) from exc


def _opened(stack: ExitStack, path: str, info: dict[str, Any], notes: list[str]) -> Layer:
    name = info["layer_name"]
    # FlatGeobuf's own Arrow stream gives null geometries offsets that damage their neighbours;
    # GDAL's general one ends at a damaged feature without a word, which only the count of the
    # header tells.
    counted = info["features"] >= 0
    with gdal_messages.kept(notes):
        pyogrio.set_gdal_config_options({"OGR_FLATGEOBUF_STREAM_BASE_IMPL": counted})
        stamps = datetimes.surveyed(path, info, notes)
        opened = pyogrio.raw.open_arrow(
            path,
            layer=name,
            use_pyarrow=True,
            batch_size=BATCH_ROWS,
            datetime_as_string=bool(stamps),
            return_fids=info["driver"] in NUMBERED_DRIVERS,
        )
        meta, reader = stack.enter_context(opened)
    found = _described(name, info, meta, reader, stamps, notes)
    found.layers = info.get(LAYERS)
    return found


LAYERS = "layer_names"
"""Entry of the description with all names of a container."""


def _info(path: str, layer: str | None, file: Path, notes: list[str]) -> dict[str, Any]:
    """Description of the layer by pyogrio; text formats are parsed once for it, not twice."""
    info: dict[str, Any] = pyogrio.read_info(path, layer=None)
    single = info["driver"] in SINGLE_LAYER_DRIVERS
    names = [info["layer_name"]] if single else pyogrio.list_layers(path)[:, 0].tolist()
    listed = ", ".join(names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")
    if layer is None and len(names) > 1 and info["driver"] == "GPKG":
        layer = _only_listed(names, file, notes)
    if layer is None and len(names) > 1:
        msg = f"{len(names)} layers in it, name one of them as layer: {listed}"
        raise SourceError(msg)
    if layer is not None and layer not in names:
        msg = f"no layer {layer!r} in it; it has {listed}{closest(layer, names).hint}"
        raise SourceError(msg)
    if layer not in (None, info["layer_name"]):
        info = dict(pyogrio.read_info(path, layer=layer))
    return info if single else {**info, LAYERS: tuple(names)}


def _only_listed(names: list[str], file: Path, notes: list[str]) -> str | None:
    """The one table that a GeoPackage lists as its content; None where there are several."""
    contents = geopackage.contents_of(file)
    given = [n for n in names if n.casefold() in contents]
    if len(given) != 1:
        return None
    others = ", ".join(n for n in names if n not in given)
    notes.append(f"left out are tables that gpkg_contents does not list: {others}")
    return given[0]


def _described(
    name: str,
    info: dict[str, Any],
    meta: dict[str, Any],
    reader: Any,
    stamps: dict[str, pa.DataType],
    notes: list[str],
) -> Layer:
    source: pa.Schema = reader.schema
    geometries = [
        i
        for i, f in enumerate(source)
        if (f.metadata or {}).get(b"ARROW:extension:name") in _WKB_EXTENSIONS
    ]
    primary = geometries[0] if geometries else None
    # pyogrio puts the numbers in front.
    numbered = info["driver"] in NUMBERED_DRIVERS
    attributes = [i for i in range(numbered, len(source)) if i != primary]
    if len(geometries) > 1:
        others = ", ".join(source.field(i).name for i in geometries[1:])
        notes.append(f"several geometry columns: {others} staged as binary attributes")
    names = distinct_names([source.field(i).name for i in attributes])
    types = [
        stamps.get(source.field(i).name, staged_type(source.field(i).type)) for i in attributes
    ]
    fields = [pa.field(n, t) for n, t in zip(names, types, strict=True)]
    geometry = None
    if primary is not None:
        geometry = free_name(meta["geometry_name"] or "geometry", names)
        fields.append(pa.field(geometry, pa.binary()))
        attributes.append(primary)
    schema = pa.schema(fields)
    ids = IdRuns()
    return Layer(
        driver=str(info["driver"]),
        name=None if info["driver"] in SINGLE_LAYER_DRIVERS else name,
        crs=None if primary is None else _crs(source.field(primary), meta.get("crs"), notes),
        geometry_type=None if primary is None else _type(info.get("geometry_type"), notes),
        geometry=geometry,
        schema=schema,
        declared_count=int(info["features"]) if info["features"] >= 0 else None,
        declared_bounds=_bounds(info.get("total_bounds")),
        batches=_batches(reader, attributes, schema, notes, ids if numbered else None),
        ids=ids,
        required=frozenset(
            f.name for f, i in zip(fields, attributes, strict=True) if not source.field(i).nullable
        ),
        notes=notes,
    )


def _batches(
    reader: Any, columns: list[int], schema: pa.Schema, notes: list[str], ids: IdRuns | None
) -> Iterator[pa.RecordBatch]:
    read = 0
    while True:
        try:
            with gdal_messages.kept(notes):
                batch = reader.read_next_batch()
                arrays = [
                    plain(batch.column(i), f.type) for i, f in zip(columns, schema, strict=True)
                ]
        except StopIteration:
            return
        except Exception as exc:
            msg = f"cannot be read behind record {read}: {reason_of(exc)}"
            raise SourceError(msg) from exc
        read += batch.num_rows
        if ids is not None:
            ids.add(batch.column(0).to_numpy(zero_copy_only=False))
        if arrays:
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        else:
            yield batch.select([])


def _crs(field: pa.Field, text: str | None, notes: list[str]) -> str | None:
    """WKT2 of the CRS that GDAL attached to the geometry column, else of what pyogrio says."""
    try:
        extension = json.loads((field.metadata or {}).get(b"ARROW:extension:metadata") or b"{}")
    except ValueError:
        extension = {}
    found = extension.get("crs") if isinstance(extension, dict) else None
    for value in (found, text):
        if not value:
            continue
        try:
            return str(pyproj.CRS.from_user_input(value).to_wkt())
        except CRSError as exc:
            notes.append(f"the CRS is not understood: {' '.join(str(exc).split())[:300]}")
    return None


def _type(declared: str | None, notes: list[str]) -> str:
    """The declared geometry type; pyogrio tells of M in a warning only."""
    for note in notes:
        measured = re.search(r"Original type '([^']+)' is converted to '([^']+)'", note)
        if measured:
            notes.remove(note)
            bare = measured[2].removesuffix(" Z")
            return f"{bare} {'ZM' if measured[2].endswith(' Z') else 'M'}"
    return declared or "Unknown"


def _bounds(value: Any) -> Bounds | None:
    if value is None:
        return None
    xmin, ymin, xmax, ymax = (float(v) for v in value)
    # Infinite or reversed for a layer without features.
    if not (xmin <= xmax and ymin <= ymax) or not all(map(math.isfinite, (xmin, ymin, xmax, ymax))):
        return None
    return xmin, ymin, xmax, ymax


def reason_of(exc: BaseException) -> str:
    """Message of GDAL without its hints."""
    text = " ".join(str(exc).split()) or type(exc).__name__
    return re.sub(r"\.?; It might help to specify the correct driver.*$", "", text)

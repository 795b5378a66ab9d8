"""Violations as an Arrow table and as GeoParquet, the form in which the store keeps them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely

from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.runtime.json_text import json_text

GEOMETRY = "geometry"
SCHEMA = pa.schema(
    [
        pa.field("rule", pa.string()),
        pa.field("family", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("keys", pa.string()),
        pa.field("measure", pa.float64()),
        pa.field("unit", pa.string()),
        pa.field("part", pa.int32()),
        pa.field("ring", pa.int32()),
        pa.field("vertex", pa.int32()),
        pa.field("name", pa.string()),
        pa.field(GEOMETRY, pa.binary()),
    ]
)
"""Columns of the layer.

``rule`` is the rule's id, ``name`` the name of the check in the contract; ``keys`` is JSON text,
one array per feature involved; columns that do not apply are null.
"""

ROWS = 65_536
"""Violations a row group, at most."""

TYPES = ("Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString",
         "MultiPolygon", "GeometryCollection")  # fmt: skip
"""Names of shapely's type ids."""


def to_table(
    evaluations: Sequence[tuple[Result, AnyViolations]], crs: pyproj.CRS | None = None
) -> pa.Table:
    """All violations of some rules, in the order given.

    Args:
        evaluations: results with their violations, keys filled in.
        crs: CRS of the geometries.

    Returns:
        A table with the columns of :data:`SCHEMA`; geometries are WKB, the CRS is in the field's
        GeoArrow metadata.

    """
    parts = [_part(r, part) for r, found in evaluations for part in parts_of(found) if len(part)]
    table = pa.concat_tables(parts) if parts else SCHEMA.empty_table()
    return with_crs(table, crs)


def rewrite(
    path: Path,
    former: Path,
    evaluations: Sequence[tuple[Result, AnyViolations]],
    names: Sequence[str],
    crs: pyproj.CRS | None = None,
) -> None:
    """Rewrites the layer after some rules were checked again, one chunk at a time.

    Args:
        path: the new layer.
        former: GeoParquet file of the former violations; need not exist.
        evaluations: results of the rules that were checked now; their former violations go.
        names: the checks of the contract; violations of those that left it go.
        crs: CRS of the geometries.

    Raises:
        OSError: the file cannot be written.

    """
    checked = {r.name for r, _ in evaluations}

    def tables() -> Iterator[pa.Table]:
        yield from _kept(former, [n for n in names if n not in checked])
        for result, violations in evaluations:
            if result.name in names:
                for part in parts_of(violations):
                    yield _part(result, part)

    _write(tables(), path, crs)


def _kept(layer: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """The violations of some checks in a layer; none when it cannot be read to its end."""
    if not names:
        return
    wanted = pa.array(names, pa.string())

    def read() -> Iterator[pa.Table]:
        with pq.ParquetFile(layer) as file:
            for batch in file.iter_batches(columns=SCHEMA.names):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                yield table.select(SCHEMA.names).cast(SCHEMA)

    try:
        for _ in read():
            pass
    except (OSError, ValueError, KeyError):
        return
    for table in read():
        yield table.filter(pc.is_in(table["name"], wanted))


def with_version(table: pa.Table, version: Version) -> pa.Table:
    """The table with the columns ``dataset`` and ``partition`` in front of the geometry."""
    n = len(table)
    place = table.schema.get_field_index(GEOMETRY)
    for name, value in (("dataset", version.dataset), ("partition", version.partition)):
        column = pa.array([value] * n, pa.string())
        table = table.add_column(place, pa.field(name, pa.string()), column)
        place += 1
    return table


def write_geoparquet(table: pa.Table, path: Path) -> None:
    """Writes a table of violations as GeoParquet 1.1.

    Raises:
        OSError: the file cannot be written.

    """
    _write([table], path, crs_of(table))


def _write(tables: Iterable[pa.Table], path: Path, crs: pyproj.CRS | None) -> None:
    """Writes tables to a temporary Arrow file, then to GeoParquet with the metadata of all.

    The description of a GeoParquet file is part of its schema, which must be known at its start.
    """
    types: set[str] = set()
    bounds = np.full(4, np.nan)
    rows = path.with_name(f".{uuid4().hex}.arrow")
    source = iter(tables)
    table = with_crs(next(source, SCHEMA.empty_table()), crs)
    try:
        with pa.OSFile(str(rows), "wb") as file, pa.ipc.new_file(file, table.schema) as whole:
            for part in itertools.chain([table], (with_crs(t, crs) for t in source)):
                if not len(part):
                    continue
                whole.write_table(part, max_chunksize=ROWS)
                wkb = part[GEOMETRY].combine_chunks().to_numpy(zero_copy_only=False)
                geometry = shapely.from_wkb(np.asarray(wkb, dtype=object))
                types.update(_geometry_types(geometry))
                box = shapely.total_bounds(geometry)
                bounds = np.hstack([np.fmin(bounds[:2], box[:2]), np.fmax(bounds[2:], box[2:])])
        column: dict[str, Any] = {
            "encoding": "WKB",
            "geometry_types": sorted(types),
            "crs": None if crs is None else crs.to_json_dict(),
        }
        if np.isfinite(bounds).all():
            column["bbox"] = bounds.tolist()
        geo = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
        schema = table.schema.with_metadata({"geo": json_text(geo)})

        def write(temporary: Path) -> None:
            with (
                pa.memory_map(str(rows)) as file,
                pa.ipc.open_file(file) as parts,
                pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
            ):
                for group in _groups(parts):
                    writer.write_table(group.cast(schema))

        replaced(path, write)
    finally:
        rows.unlink(missing_ok=True)


def _groups(parts: pa.RecordBatchFileReader) -> Iterator[pa.Table]:
    """The rows by row groups, independent of the batches in which they arrive."""
    held: list[pa.RecordBatch] = []
    for i in range(parts.num_record_batches):
        held.append(parts.get_batch(i))
        while sum(map(len, held)) >= ROWS:
            whole = pa.Table.from_batches(held)
            yield whole.slice(0, ROWS).combine_chunks()
            held = whole.slice(ROWS).to_batches()
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def crs_of(table: pa.Table) -> pyproj.CRS | None:
    """The CRS of a table of violations."""
    crs = _projjson(table)
    return None if crs is None else pyproj.CRS.from_json_dict(crs)


def _projjson(table: pa.Table) -> dict[str, Any] | None:
    metadata = _field(table).metadata or {}
    told = json.loads(metadata.get(b"ARROW:extension:metadata", b"{}"))
    return cast("dict[str, Any] | None", told.get("crs"))


def _part(result: Result, violations: Violations) -> pa.Table:
    n = len(violations)

    def constant(value: str) -> pa.Array:
        return pa.array([value] * n, pa.string())

    def index(values: Any) -> pa.Array:
        return pa.array(values, pa.int32(), mask=np.asarray(values) < 0)

    keys = violations.keys if violations.keys is not None else [() for _ in range(n)]
    columns = {
        "rule": constant(result.rule),
        "family": constant(result.family.value),
        "severity": constant(result.severity.value),
        "reason": pa.array([text(r) for r in violations.reasons], pa.string()),
        "keys": pa.array([json_text(k) for k in keys], pa.string()),
        "measure": pa.array(violations.measure, pa.float64(), mask=np.isnan(violations.measure)),
        "unit": constant(violations.unit),
        "part": index(violations.part),
        "ring": index(violations.ring),
        "vertex": index(violations.vertex),
        "name": constant(result.name),
        GEOMETRY: pa.array(shapely.to_wkb(violations.geometry, flavor="iso").tolist(), pa.binary()),
    }
    return pa.table(columns, schema=SCHEMA)


def text(value: Any) -> str:
    """Text that UTF-8 can hold: lone surrogates of broken sources are replaced."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def with_crs(table: pa.Table, crs: pyproj.CRS | None) -> pa.Table:
    """The table with the CRS of its geometries in the field's GeoArrow metadata."""
    about = {} if crs is None else {"crs": crs.to_json_dict(), "crs_type": "projjson"}
    metadata = {
        "ARROW:extension:name": "geoarrow.wkb",
        "ARROW:extension:metadata": json_text(about),
    }
    field = pa.field(GEOMETRY, pa.binary(), metadata=metadata)
    place = table.schema.get_field_index(GEOMETRY)
    return table.set_column(place, field, table[GEOMETRY])


def _field(table: pa.Table) -> pa.Field:
    return table.schema.field(GEOMETRY)


def _geometry_types(geometry: Any) -> list[str]:
    present = geometry[~shapely.is_missing(geometry)]
    codes = np.unique(shapely.get_type_id(present) * 2 + shapely.has_z(present))
    return sorted(f"{TYPES[c // 2]}{' Z' if c % 2 else ''}" for c in codes.tolist())


def centres(violations: Violations) -> list[tuple[float, float] | None]:
    """The centre of every violation's box; None without a geometry."""
    bounds = shapely.bounds(violations.geometry).reshape(-1, 4)
    with np.errstate(invalid="ignore"):
        places = (bounds[:, :2] + bounds[:, 2:]) / 2
    return [(x, y) if np.isfinite(x + y) else None for x, y in places.tolist()]


def replaced(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file under a temporary name and moves it into place when it is complete."""
    temporary = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    except RuntimeError as exc:
        from pyogrio.errors import DataLayerError, DataSourceError

        if not isinstance(exc, DataSourceError | DataLayerError):
            raise
        raise OSError(str(exc)) from exc
    finally:
        temporary.unlink(missing_ok=True)

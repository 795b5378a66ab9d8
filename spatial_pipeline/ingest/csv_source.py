"""CSV: where its geometry is, and types chosen so that no value changes.

GDAL's own detection of types reads ``3836 `` as a null integer, and 3 in a column of truth values
as true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.layer import Layer
from spatial_pipeline.ingest.source import Resolved

WKT_NAMES = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "shape")
XY_NAMES = (
    ("x", "y"), ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"),
    ("easting", "northing"), ("x_coord", "y_coord"), ("xcoord", "ycoord"), ("point_x", "point_y"),
)  # fmt: skip
"""Pairs that belong together, the likelier first; compared caselessly."""
_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?$"
_DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"
_TRUTH = r"^(true|false)$"
CANDIDATES: tuple[tuple[pa.DataType, str], ...] = (
    (pa.int64(), _INTEGER),
    (pa.float64(), _NUMBER),
    (pa.date32(), _DATE),
    (pa.timestamp("us"), _TIME),
    (pa.bool_(), _TRUTH),
)
"""Types and what every value must look like. A number with a leading zero is a code."""


@dataclass(frozen=True)
class Plan:
    """How a CSV file is read.

    Attributes:
        options: GDAL open options.
        wkt: column that holds WKT; it is not staged beside the geometry.
        xy: columns that hold coordinates.
        types: types of the columns that are text for GDAL.

    """

    options: dict[str, str]
    wkt: str | None = None
    xy: tuple[str, str] | None = None
    types: dict[str, pa.DataType] = field(default_factory=dict)


def plan(resolved: Resolved, info: dict[str, Any]) -> Plan:
    """Reads the file once for the types of its columns, unless a .csvt file names them.

    A WKT column wins over a pair of coordinate columns, an earlier pair over a later one. Both
    columns of a pair come from the same pair: an easting is never combined with a latitude.
    """
    fields = [str(f) for f in info["fields"]]
    known = {f.casefold(): f for f in reversed(fields)}
    options = {"EMPTY_STRING_AS_NULL": "YES", "KEEP_GEOM_COLUMNS": "YES", "AUTODETECT_TYPE": "NO"}
    wkt = next((known[n] for n in WKT_NAMES if n in known), None)
    pairs = [(known[x], known[y]) for x, y in XY_NAMES if x in known and y in known]
    xy = pairs[0] if pairs and wkt is None else None
    if wkt is not None:
        options["GEOM_POSSIBLE_NAMES"] = wkt
    elif xy is not None:
        options["X_POSSIBLE_NAMES"], options["Y_POSSIBLE_NAMES"] = xy
    # GDAL gives columns other types only when a .csvt file names them.
    typed = any(str(t) != "object" for t in info["dtypes"])
    return Plan(options, wkt, xy, {} if typed else _types(resolved.path))


def apply(how: Plan, layer: Layer) -> None:
    """Converts the batches of a layer, drops its WKT column and counts what GDAL lost."""
    schema = pa.schema(
        [
            pa.field(f.name, how.types.get(f.name, f.type)) if f.name != layer.geometry else f
            for f in layer.schema
            if f.name != how.wkt or f.name == layer.geometry
        ]
    )
    lost: list[NDArray[np.int64]] = []
    layer.batches = _converted(layer.batches, how, schema, layer, lost)
    layer.schema = schema

    def found(_rows: NDArray[np.int64]) -> Iterable[int]:
        return [int(r) for r in np.concatenate([np.empty(0, dtype=np.int64), *lost])]

    layer.lost = found


def _converted(
    batches: Iterator[pa.RecordBatch],
    how: Plan,
    schema: pa.Schema,
    layer: Layer,
    lost: list[NDArray[np.int64]],
) -> Iterator[pa.RecordBatch]:
    read = 0
    placing = [how.wkt] if how.wkt is not None else list(how.xy or ())
    for batch in batches:
        if layer.geometry is not None and placing:
            null = np.asarray(batch.column(layer.geometry).is_null())
            for name in placing:
                null = null & np.asarray(batch.column(name).is_valid())
            lost.append(read + np.flatnonzero(null))
        read += batch.num_rows
        columns = [
            batch.column(f.name) if f.name == layer.geometry else converted(batch, f)
            for f in schema
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
    wrong = [n for n in layer.notes if n.startswith("Invalid value type found")]
    if wrong:
        msg = f"a value does not have the type that the .csvt file gives it: {wrong[0]}"
        raise SourceError(msg)


def converted(batch: pa.RecordBatch, target: pa.Field) -> pa.Array:
    """A column as the values of a type that all its values fit."""
    column = batch.column(target.name)
    if column.type == target.type:
        return column
    return pc.utf8_trim_whitespace(column).cast(target.type)


class Guess:
    """The types that all values seen so far fit, column by column."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._left = {c: list(CANDIDATES) for c in columns}
        self._seen: set[str] = set()

    def see(self, batch: pa.RecordBatch) -> None:
        """Drops the types that a value of this batch does not fit."""
        for name, left in self._left.items():
            column = batch.column(name)
            if column.null_count == len(column):
                continue
            self._seen.add(name)
            self._left[name] = [(t, form) for t, form in left if _fits(column, t, form)]

    def types(self) -> dict[str, pa.DataType]:
        """The type of each column; text where no other holds every value."""
        return {
            name: left[0][0] if left and name in self._seen else pa.string()
            for name, left in self._left.items()
        }


def _fits(column: pa.Array, kind: pa.DataType, form: str) -> bool:
    trimmed = pc.utf8_trim_whitespace(column)
    if not pc.all(pc.match_substring_regex(trimmed, form), skip_nulls=True).as_py():
        return False
    try:
        trimmed.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _types(path: str) -> dict[str, pa.DataType]:
    options = {"EMPTY_STRING_AS_NULL": "YES", "AUTODETECT_TYPE": "NO"}
    with pyogrio.raw.open_arrow(path, use_pyarrow=True, read_geometry=False, **options) as (
        _,
        reader,
    ):
        texts = [f.name for f in reader.schema if pa.types.is_string(f.type)]
        guess = Guess(texts)
        for batch in reader:
            guess.see(batch)
        return guess.types()

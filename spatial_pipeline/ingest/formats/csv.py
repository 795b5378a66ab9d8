"""CSV: where its geometry is, and types chosen so that no value changes.

GDAL's own detection of types reads ``3836 `` as a null integer, and 3 in a column of truth values
as true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.layer import Layer

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
COORDINATE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
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
        types: type of each column, empty when a .csvt file gives them.
        unplaced: rows with coordinates that are no numbers.

    """

    options: dict[str, str]
    wkt: str | None = None
    types: tuple[pa.DataType, ...] = ()
    unplaced: tuple[int, ...] = ()


def plan(path: str, info: dict[str, Any]) -> Plan:
    """Reads the file once for the types of its columns, unless a .csvt file names them.

    A WKT column wins over a pair of coordinate columns, an earlier pair over a later one. Both
    columns of a pair come from the same pair: an easting is never combined with a latitude.

    Args:
        path: what GDAL opens.
        info: what pyogrio says of the layer.

    """
    fields = [str(f) for f in info["fields"]]
    known = {f.casefold(): f for f in reversed(fields)}
    options = {"EMPTY_STRING_AS_NULL": "YES", "KEEP_GEOM_COLUMNS": "YES", "AUTODETECT_TYPE": "NO"}
    wkt = next((known[n] for n in WKT_NAMES if n in known), None)
    pairs = [(known[x], known[y]) for x, y in XY_NAMES if x in known and y in known]
    xy = pairs[0] if pairs and wkt is None else None
    guess = Guess([] if xy is None else [fields.index(name) for name in xy])
    with pyogrio.raw.open_arrow(path, use_pyarrow=True, read_geometry=False, **options) as opened:
        for batch in opened[1]:
            guess.see(batch)
    if wkt is not None:
        options["GEOM_POSSIBLE_NAMES"] = wkt
    elif xy is not None:
        options["X_POSSIBLE_NAMES"], options["Y_POSSIBLE_NAMES"] = xy
    # GDAL gives columns other types only when a .csvt file names them.
    typed = any(str(t) != "object" for t in info["dtypes"])
    return Plan(options, wkt, () if typed else guess.types(), tuple(guess.unplaced))


def apply(how: Plan, layer: Layer) -> None:
    """Converts the batches of a layer, drops its WKT column and counts what GDAL lost."""
    names = [f.name for f in layer.attributes]
    kept = [i for i, n in enumerate(names) if n != how.wkt]
    fields = [layer.schema.field(i) for i in kept]
    if how.types:
        fields = [
            f.with_type(how.types[i] if pa.types.is_string(f.type) else f.type)
            for f, i in zip(fields, kept, strict=True)
        ]
    if layer.geometry is not None:
        fields.append(layer.schema.field(len(names)))
        kept.append(len(names))
    lost = [np.asarray(how.unplaced, dtype=np.int64)]
    wkt = names.index(how.wkt) if how.wkt in names else None
    schema = pa.schema(fields)
    batches = layer.batches if how.types else _as_declared(layer.batches, layer.notes)
    layer.batches = _converted(batches, kept, schema, wkt, lost)
    layer.schema = schema

    def found(_rows: NDArray[np.int64]) -> Iterable[int]:
        return [int(r) for r in np.concatenate(lost)]

    layer.lost = found


def _converted(
    batches: Iterator[pa.RecordBatch],
    columns: list[int],
    schema: pa.Schema,
    wkt: int | None,
    lost: list[NDArray[np.int64]],
) -> Iterator[pa.RecordBatch]:
    """The batches in their types; ``lost`` takes the rows whose WKT gave no geometry."""
    read = 0
    for batch in batches:
        if wkt is not None:
            null = np.asarray(batch.column(batch.num_columns - 1).is_null())
            lost.append(read + np.flatnonzero(null & np.asarray(batch.column(wkt).is_valid())))
        read += batch.num_rows
        arrays = [
            batch.column(i) if batch.column(i).type == f.type else _cast(batch.column(i), f.type)
            for i, f in zip(columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_declared(batches: Iterator[pa.RecordBatch], notes: list[str]) -> Iterator[pa.RecordBatch]:
    """The batches of a file whose types a .csvt file gives."""
    yield from batches
    wrong = [n for n in notes if n.startswith("Invalid value type found")]
    if wrong:
        msg = f"a value does not have the type that the .csvt file gives it: {wrong[0]}"
        raise SourceError(msg)


class Guess:
    """The types that all texts seen so far fit, column by column.

    Args:
        coordinates: columns that hold coordinates.

    Attributes:
        unplaced: rows with a coordinate that is no number.

    """

    def __init__(self, coordinates: Sequence[int] = ()) -> None:
        self.unplaced: list[int] = []
        self._coordinates = coordinates
        self._read = 0
        self._left: list[list[tuple[pa.DataType, str]]] | None = None
        self._seen: set[int] = set()

    def see(self, batch: pa.RecordBatch) -> None:
        """Drops the types that a value of this batch does not fit."""
        if self._left is None:
            self._left = [
                list(CANDIDATES) if pa.types.is_string(f.type) else [] for f in batch.schema
            ]
        for i, left in enumerate(self._left):
            column = batch.column(i)
            if column.null_count < len(column):
                self._seen.add(i)
                self._left[i] = [(t, form) for t, form in left if _fits(column, t, form)]
        for i in self._coordinates:
            if pa.types.is_string(batch.schema.field(i).type):
                number = pc.match_substring_regex(_trimmed(batch.column(i)), COORDINATE)
                bad = np.flatnonzero(np.asarray(pc.invert(number).fill_null(False)))
                self.unplaced += (self._read + bad).tolist()
        self._read += batch.num_rows

    def types(self) -> tuple[pa.DataType, ...]:
        """The type of each column; text where no other holds every value."""
        return tuple(
            left[0][0] if left and i in self._seen else pa.string()
            for i, left in enumerate(self._left or [])
        )


def _trimmed(column: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(column)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return _trimmed(column).cast(kind)


def _fits(column: pa.Array, kind: pa.DataType, form: str) -> bool:
    if not pc.all(pc.match_substring_regex(_trimmed(column), form), skip_nulls=True).as_py():
        return False
    try:
        _cast(column, kind)
    except pa.ArrowInvalid:
        return False
    return True

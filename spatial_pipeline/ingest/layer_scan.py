"""Reads a layer to its end once and keeps what is known of every row."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.errors import SourceError, SpatialPipelineError
from spatial_pipeline.ingest.formats.layer import Layer
from spatial_pipeline.ingest.geometry_scan import GeometryScan, survey
from spatial_pipeline.ingest.schema import sound
from spatial_pipeline.ingest.sort_buffer import ExternalSortBuffer
from spatial_pipeline.model.hashing import checksums, geometry_hash
from spatial_pipeline.runtime.malloc import give_back

Progress = Callable[[int, int | None], None]
_Judged = tuple[GeometryScan, checksums.Sums, geometry_hash.Identities]
_NO_ROWS = np.empty(0, dtype=np.int64)
ROW_BYTES = 48
"""Bytes per row beside its values: box, row number, validity."""


@dataclass
class LayerScan:
    """Facts about the n rows that were taken.

    Attributes:
        read: rows read, those included that the condition left out.
        types: GeoParquet names of the geometry types that occur.
        measured: True when a geometry carries M.
        non_finite: geometries with NaN or infinite coordinates in their box.
        undecodable: source rows whose geometry is there but cannot be decoded, ascending.
        sums: checksums of the columns as they were read.

    """

    read: int = 0
    types: frozenset[str] = frozenset()
    measured: bool = False
    non_finite: int = 0
    undecodable: tuple[int, ...] = ()
    sums: checksums.Sums = field(default_factory=dict)
    _rows: list[NDArray[np.int64]] = field(default_factory=list)
    _sizes: list[NDArray[np.int64]] = field(default_factory=list)
    _bounds: list[NDArray[np.float64]] = field(default_factory=list)
    _identities: list[geometry_hash.Identities] = field(default_factory=list)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """(n,) source rows."""
        return _whole(self._rows, _NO_ROWS)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(n,) bytes of each row, about."""
        return _whole(self._sizes, _NO_ROWS)

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """(n, 4) boxes; NaN rows where there is none or it is not finite."""
        return _whole(self._bounds, np.empty((0, 4)))

    @cached_property
    def identities(self) -> geometry_hash.Identities:
        """(n, 2) what each geometry is known by in the next version."""
        return _whole(self._identities, np.empty((0, 2), np.uint64))

    def settle(self) -> None:
        """Puts each column together and gives back what its parts took."""
        _ = self.rows, self.sizes, self.bounds, self.identities
        give_back()

    @property
    def extent(self) -> Bounds | None:
        """Extent of the boxes, None when there is none."""
        if np.isnan(self.bounds[:, 0]).all():
            return None
        xmin, ymin = np.fmin.reduce(self.bounds[:, :2]).tolist()
        xmax, ymax = np.fmax.reduce(self.bounds[:, 2:]).tolist()
        return xmin, ymin, xmax, ymax

    def add(
        self,
        rows: NDArray[np.int64],
        sizes: NDArray[np.int64],
        found: GeometryScan,
        identities: geometry_hash.Identities,
    ) -> None:
        """Adds a batch."""
        self._identities.append(identities)
        self._rows.append(rows)
        self._sizes.append(sizes)
        self._bounds.append(found.bounds)
        self.types |= found.types
        self.measured |= found.measured
        self.non_finite += found.non_finite


def take(
    layer: Layer, where: str | None, spool: ExternalSortBuffer, progress: Progress | None = None
) -> LayerScan:
    """Moves the rows that a condition selects to a spool, in source order.

    Raises:
        SourceError: the layer cannot be read to its end, holds fewer features than it declares,
            or the condition is not valid.
        OSError: the spool cannot be written.

    """
    census = LayerScan()
    undecodable: list[NDArray[np.int64]] = []
    null: list[NDArray[np.int64]] = []
    for batch, rows, (found, sums, known) in _surveyed(layer, where, census):
        spool.append(batch)
        census.sums = checksums.added(census.sums, sums)
        census.add(rows, row_sizes(batch, layer.geometry), found, known)
        undecodable.append(rows[found.undecodable])
        null.append(rows[found.null])
        left = np.flatnonzero(found.trailing)
        if len(left) and layer.geometry is not None:
            texts = [f"{count} bytes" for count in found.trailing[left].tolist()]
            layer.defects.add(rows[left], layer.geometry, texts, "stand behind the geometry")
        if progress is not None:
            progress(census.read, layer.declared_count)
    if layer.declared_count is not None and census.read < layer.declared_count:
        msg = f"declares {layer.declared_count} features, only {census.read} can be read"
        raise SourceError(msg)
    lost = np.fromiter(layer.lost(np.concatenate([_NO_ROWS, *null])), dtype=np.int64)
    # Damaged rows that the condition leaves out are nobody's concern.
    if len(lost):
        undecodable.append(np.intersect1d(lost, census.rows))
    census.undecodable = tuple(np.unique(np.concatenate([_NO_ROWS, *undecodable])).tolist())
    census.settle()
    return census


def row_sizes(batch: pa.RecordBatch, geometry: str | None) -> NDArray[np.int64]:
    """(n,) bytes of the rows of a batch, about: texts and geometries exactly."""
    sizes = np.full(batch.num_rows, ROW_BYTES, dtype=np.int64)
    rest = 0
    for column_field, column in zip(batch.schema, batch.columns, strict=True):
        kind = column_field.type
        if pa.types.is_binary(kind) or pa.types.is_string(kind) or column_field.name == geometry:
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        else:
            rest += column.nbytes
    sizes += rest // max(1, batch.num_rows)
    return sizes


def _surveyed(
    layer: Layer, where: str | None, census: LayerScan
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64], _Judged]]:
    """The batches in source order with their rows; geometries are decoded in threads."""
    workers = os.cpu_count() or 1
    waiting: deque[tuple[pa.RecordBatch, NDArray[np.int64], Future[_Judged]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="survey") as pool:
        for batch, rows in _selected(layer, where, census):
            waiting.append((batch, rows, pool.submit(_judged, batch, layer.geometry, rows)))
            if len(waiting) > workers:
                done, done_rows, future = waiting.popleft()
                yield done, done_rows, future.result()
        while waiting:
            done, done_rows, future = waiting.popleft()
            yield done, done_rows, future.result()


def _judged(batch: pa.RecordBatch, geometry: str | None, rows: NDArray[np.int64]) -> _Judged:
    wkb = None if geometry is None else batch.column(geometry)
    found = survey(wkb, batch.num_rows)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    known = np.empty((0, 2), np.uint64) if wkb is None else geometry_hash.identities(wkb)
    return found, checksums.column_sums(columns, rows), known


def _whole(parts: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    """The parts in one; each goes as it is copied, so that they are never held twice."""
    whole = np.empty((sum(map(len, parts)), *empty.shape[1:]), empty.dtype)
    end = len(whole)
    while parts:
        last = parts.pop()
        whole[end - len(last) : end] = last
        end -= len(last)
    return whole


def _guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches; whatever goes wrong while they are made is the fault of the source."""
    try:
        yield from batches
    except (SpatialPipelineError, MemoryError):
        raise
    except Exception as exc:
        msg = f"cannot be read: {' '.join(str(exc).split()) or type(exc).__name__}"
        raise SourceError(msg) from exc


def _selected(
    layer: Layer, where: str | None, census: LayerScan
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    """The batches, with those rows only that the condition selects."""
    if where is None:
        for batch in _guarded(layer.batches):
            first = census.read
            census.read += batch.num_rows
            yield sound(batch, layer.defects, first), np.arange(first, census.read)
        return
    # DuckDB takes as long to import as a small file to read.
    from spatial_pipeline.ingest.where_filter import Condition

    attributes = [f.name for f in layer.attributes]
    with Condition(where) as condition:
        # A condition that is wrong is so for a layer without features too.
        empty = pa.schema([layer.schema.field(a) for a in attributes]).empty_table()
        condition.rows(
            pa.RecordBatch.from_arrays(
                [c.combine_chunks() for c in empty.columns], schema=empty.schema
            )
        )
        for raw in _guarded(layer.batches):
            batch = sound(raw, layer.defects, census.read)
            kept = condition.rows(batch.select(attributes))
            rows = census.read + kept
            census.read += batch.num_rows
            yield batch.take(pa.array(kept)), rows

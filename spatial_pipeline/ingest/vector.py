"""Vector sources → GeoParquet."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.contract.models import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import archive, gdal_source, geoparquet, parquet_source
from spatial_pipeline.ingest.conditions import Condition
from spatial_pipeline.ingest.layer import Layer
from spatial_pipeline.ingest.schema import free_name, stageable
from spatial_pipeline.ingest.source import Resolved
from spatial_pipeline.ingest.spool import Spool
from spatial_pipeline.ingest.survey import Survey, survey
from spatial_pipeline.versions import Bounds, Column, VectorProfile

Progress = Callable[[int, int | None], None]
DATA = "data.parquet"


def ingest_vector(
    source: Source, resolved: Resolved, folder: Path, progress: Progress | None = None
) -> VectorProfile:
    """Writes ``folder/data.parquet`` and tells what the source is like.

    A source that cannot be read gives an empty file and a profile with ``error``.

    Raises:
        OSError: the folder cannot be written.

    """
    profile = VectorProfile(uri=resolved.uri, layer=source.layer)
    try:
        if resolved.error is not None:
            raise SourceError(resolved.error)
        if resolved.member is not None:
            archive.verify(resolved.files[0], resolved.member)
        with _open(resolved, source.layer) as layer:
            profile = _header(profile, layer)
            return _staged(profile, layer, source.where, folder, progress)
    except SourceError as exc:
        return _empty(replace(profile, count=0, bounds=None, error=str(exc)), folder)


def _open(resolved: Resolved, layer: str | None) -> AbstractContextManager[Layer]:
    if parquet_source.is_parquet(resolved):
        return parquet_source.open_layer(resolved, layer)
    return gdal_source.open_layer(resolved.path, layer)


def _header(profile: VectorProfile, layer: Layer) -> VectorProfile:
    names = layer.schema.names
    return replace(
        profile,
        driver=layer.driver,
        layer=layer.name or profile.layer,
        crs=layer.crs,
        geometry_type=layer.geometry_type,
        geometry_column=layer.geometry,
        row_column=free_name("__row", names),
        bbox_column=free_name("bbox", names),
        columns=tuple(Column(f.name, str(f.type), f.nullable) for f in layer.attributes),
        declared_count=layer.declared_count,
        declared_bounds=layer.declared_bounds,
        notes=tuple(layer.notes),
    )


@dataclass
class _Census:
    """What was learnt of the rows while they were read."""

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    sizes: list[NDArray[np.int64]] = field(default_factory=list)
    bounds: list[NDArray[np.float64]] = field(default_factory=list)
    undecodable: list[NDArray[np.int64]] = field(default_factory=list)
    types: frozenset[str] = frozenset()
    measured: bool = False
    non_finite: int = 0
    read: int = 0

    def add(self, rows: NDArray[np.int64], sizes: NDArray[np.int64], found: Survey) -> None:
        self.rows.append(rows)
        self.sizes.append(sizes)
        self.bounds.append(found.bounds)
        self.undecodable.append(rows[found.undecodable])
        self.types |= found.types
        self.measured |= found.measured
        self.non_finite += found.non_finite


def _staged(
    profile: VectorProfile,
    layer: Layer,
    where: str | None,
    folder: Path,
    progress: Progress | None,
) -> VectorProfile:
    stageable(layer.schema)
    census = _Census()
    with Spool(layer.schema, folder.parent) as spool:
        for batch, rows, found in _surveyed(layer, where, census):
            spool.append(batch)
            census.add(rows, row_sizes(batch, layer.geometry), found)
            if progress is not None:
                progress(census.read, layer.declared_count)
        if layer.declared_count is not None and census.read < layer.declared_count:
            msg = f"declares {layer.declared_count} features, only {census.read} can be read"
            raise SourceError(msg)
        bounds = np.concatenate([np.empty((0, 4)), *census.bounds])
        profile = _result(profile, layer, census, _extent(bounds))
        geo = None
        if layer.geometry is not None:
            types = frozenset() if census.measured or profile.undecodable else census.types
            geo = geoparquet.geo_metadata(
                layer.geometry, profile.bbox_column, types, profile.crs, profile.bounds
            )
        geoparquet.write(
            folder / DATA,
            spool,
            rows=np.concatenate([np.empty(0, dtype=np.int64), *census.rows]),
            sizes=np.concatenate([np.empty(0, dtype=np.int64), *census.sizes]),
            bounds=bounds,
            geometry=layer.geometry,
            row_column=profile.row_column,
            bbox_column=profile.bbox_column,
            geo=geo,
        )
    return profile


def _surveyed(
    layer: Layer, where: str | None, census: _Census
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64], Survey]]:
    """The batches in source order with their rows; geometries are decoded in threads."""
    workers = os.cpu_count() or 1
    waiting: deque[tuple[pa.RecordBatch, NDArray[np.int64], Future[Survey]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="survey") as pool:
        for batch, rows in _selected(layer, where, census):
            wkb = None if layer.geometry is None else batch.column(layer.geometry)
            waiting.append((batch, rows, pool.submit(survey, wkb, batch.num_rows)))
            if len(waiting) > workers:
                done, done_rows, future = waiting.popleft()
                yield done, done_rows, future.result()
        while waiting:
            done, done_rows, future = waiting.popleft()
            yield done, done_rows, future.result()


def _selected(
    layer: Layer, where: str | None, census: _Census
) -> Iterator[tuple[pa.RecordBatch, NDArray[np.int64]]]:
    """The batches, with those rows only that the condition selects."""
    if where is None:
        for batch in layer.batches:
            rows = np.arange(census.read, census.read + batch.num_rows)
            census.read += batch.num_rows
            yield batch, rows
        return
    attributes = [f.name for f in layer.attributes]
    with Condition(where) as condition:
        condition.rows(layer.schema.empty_table().select(attributes).combine_chunks())
        for batch in layer.batches:
            kept = condition.rows(batch.select(attributes))
            rows = census.read + kept
            census.read += batch.num_rows
            yield batch.take(pa.array(kept)), rows


def _extent(bounds: NDArray[np.float64]) -> Bounds | None:
    placed = bounds[~np.isnan(bounds).any(axis=1)]
    if not len(placed):
        return None
    xmin, ymin = placed[:, :2].min(axis=0).tolist()
    xmax, ymax = placed[:, 2:].max(axis=0).tolist()
    return xmin, ymin, xmax, ymax


def _result(
    profile: VectorProfile, layer: Layer, census: _Census, extent: Bounds | None
) -> VectorProfile:
    notes = list(layer.notes)
    if census.non_finite:
        notes.append(f"{census.non_finite} geometries with NaN or infinite coordinates")
    lost = np.concatenate([np.empty(0, dtype=np.int64), *census.undecodable])
    return replace(
        profile,
        count=sum(len(r) for r in census.rows),
        bounds=extent,
        undecodable=tuple(int(r) for r in lost),
        notes=tuple(notes),
    )


def row_sizes(batch: pa.RecordBatch, geometry: str | None) -> NDArray[np.int64]:
    """(n,) bytes of the rows of a batch, about: texts and geometries exactly."""
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    rest = 0
    for column_field, column in zip(batch.schema, batch.columns, strict=True):
        kind = column_field.type
        if pa.types.is_binary(kind) or pa.types.is_string(kind) or column_field.name == geometry:
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        else:
            rest += column.nbytes
    sizes += rest // max(1, batch.num_rows) + 48
    return sizes


def _empty(profile: VectorProfile, folder: Path) -> VectorProfile:
    """A valid file without rows, for a source that could not be read."""
    geometry = profile.geometry_column
    fields = [] if geometry is None else [pa.field(geometry, pa.binary())]
    bbox = profile.bbox_column
    geo = None
    if geometry is not None:
        geo = geoparquet.geo_metadata(geometry, bbox, frozenset(), profile.crs, None)
    with Spool(pa.schema(fields), folder.parent) as spool:
        geoparquet.write(
            folder / DATA,
            spool,
            rows=np.empty(0, dtype=np.int64),
            sizes=np.empty(0, dtype=np.int64),
            bounds=np.empty((0, 4)),
            geometry=geometry,
            row_column=profile.row_column,
            bbox_column=bbox,
            geo=geo,
        )
    return profile

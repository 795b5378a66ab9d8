"""Writes staged vector data: GeoParquet 1.1, Hilbert-sorted, in bounded row groups."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.hilbert import hilbert_order
from spatial_pipeline.ingest.sort_buffer import ExternalSortBuffer
from spatial_pipeline.runtime.json_text import json_text

ROW_GROUP_ROWS = 16384
ROW_GROUP_BYTES = 16 << 20
COMPRESSION_LEVEL = 3
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_BOX = pa.struct([pa.field(c, pa.float64(), nullable=False) for c in _CORNERS])


def geo_metadata(
    geometry: str, bbox: str, types: frozenset[str], crs: str | None, bounds: Bounds | None
) -> dict[str, Any]:
    """The value of the ``geo`` key of a GeoParquet 1.1 file.

    Args:
        geometry: name of the geometry column.
        bbox: name of the covering column.
        types: geometry types that occur; empty when the format has no name for one of them.
        crs: WKT2, None when unknown.
        bounds: extent, None when there is none.

    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": sorted(types),
        "crs": None if crs is None else pyproj.CRS.from_wkt(crs).to_json_dict(),
        "covering": {"bbox": {c: [bbox, c] for c in _CORNERS}},
    }
    if bounds is not None:
        column["bbox"] = list(bounds)
    return {"version": "1.1.0", "primary_column": geometry, "columns": {geometry: column}}


def row_group_starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(g + 1,) positions at which row groups begin, and the number of rows.

    Groups are as large as their bounds allow.

    Args:
        sizes: (n,) bytes of the rows in the order in which they are written.

    """
    ends = np.cumsum(sizes)
    starts = [0]
    while starts[-1] < len(sizes):
        begin = starts[-1]
        before = int(ends[begin - 1]) if begin else 0
        most = int(np.searchsorted(ends, before + ROW_GROUP_BYTES, side="right"))
        starts.append(max(min(most, begin + ROW_GROUP_ROWS), begin + 1))
    return np.asarray(starts, dtype=np.int64)


def write(
    path: Path,
    spool: ExternalSortBuffer,
    *,
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    bounds: NDArray[np.float64],
    geometry: str | None,
    row_column: str,
    bbox_column: str,
    geo: dict[str, Any] | None,
) -> NDArray[np.int64]:
    """Writes the rows of a spool in Hilbert order.

    Args:
        path: file to write.
        spool: the rows in source order.
        rows: (n,) source rows.
        sizes: (n,) bytes of each row.
        bounds: (n, 4) boxes, NaN where there is none.
        geometry: name of the geometry column, None without geometry.
        row_column: name of the column that takes ``rows``.
        bbox_column: name of the column that takes ``bounds``; not written without geometry.
        geo: GeoParquet metadata, None without geometry.

    Returns:
        (n,) which row of the spool stands where.

    Raises:
        OSError: the disk is full or not writable.

    """
    order = np.arange(len(rows)) if geometry is None else hilbert_order(bounds, os.cpu_count() or 1)
    starts = row_group_starts(sizes[order])
    group_sizes = np.add.reduceat(sizes[order], starts[:-1]) if len(rows) else sizes
    fields = [*spool.schema, pa.field(row_column, pa.int64(), nullable=False)]
    if geometry is not None:
        fields.append(pa.field(bbox_column, _BOX))
    metadata = {} if geo is None else {"geo": json_text(geo)}
    schema = pa.schema(fields, metadata=metadata)
    groups = zip(
        _one_ahead(spool.ordered(order, starts, group_sizes)),
        itertools.pairwise(starts.tolist()),
        strict=True,
    )
    try:
        with pq.ParquetWriter(path, schema, **_options(schema, geometry)) as writer:
            for table, (begin, end) in groups:
                index = order[begin:end]
                columns = [*table.columns, pa.array(rows[index])]
                if geometry is not None:
                    columns.append(_boxes(bounds[index]))
                group = pa.Table.from_arrays(columns, schema=schema)
                writer.write_table(group, row_group_size=end - begin)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return order


def _one_ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The tables; the next one is made in a thread while this one is used.

    Gathering a row group takes about as long as compressing one.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="gather") as pool:
        waiting = pool.submit(next, tables, None)
        while (table := waiting.result()) is not None:
            waiting = pool.submit(next, tables, None)
            yield table


def _boxes(bounds: NDArray[np.float64]) -> pa.Array:
    missing = np.asarray(np.isnan(bounds).any(axis=1))
    values = np.where(missing[:, None], 0.0, bounds)
    return pa.StructArray.from_arrays(
        [pa.array(np.ascontiguousarray(values[:, i])) for i in range(4)],
        fields=list(_BOX),
        mask=pa.array(missing),
    )


def _options(schema: pa.Schema, geometry: str | None) -> dict[str, Any]:
    attributes = [
        f.name
        for f in schema
        if f.name != geometry and (pa.types.is_string(f.type) or pa.types.is_large_string(f.type))
    ]
    return {
        "compression": "zstd",
        "compression_level": COMPRESSION_LEVEL,
        "use_dictionary": attributes,
        "version": "2.6",
    }

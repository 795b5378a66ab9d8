"""Headers of the geometries of a GeoPackage against the geometries: envelopes and the empty flag.

Readers draw and select by the envelope of a header, and leave out what is flagged to be empty.

Source: OGC 12-128r19 (GeoPackage 1.4), 2.1.3.1 and requirement 19.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity.geopackage import bounded, quoted
from spatial_pipeline.ingest.layer_scan import LayerScan

HEAD, ENVELOPE = 8, 32
BATCH_ROWS = 10_000
_ROUNDING = 1e-9
"""Share of a coordinate by which an envelope may be too small."""


def compare(found: Judge, file: Path, table: str, column: str, scan: LayerScan) -> None:
    """Compares each header with the box of its geometry.

    Args:
        found: takes the findings.
        file: the private copy or view of the database.
        table: the table that was read.
        column: its geometry column.
        scan: boxes of the geometries, by row.

    """
    with closing(bounded(file)) as database:
        try:
            heads, present = _heads(database, table, column)
        except sqlite3.OperationalError:
            # A view has no order of its own.
            return
    if len(scan.rows) and scan.rows.max() >= len(heads):
        return
    heads, present = heads[scan.rows], present[scan.rows]
    flags, empty = heads[:, 3], np.isnan(scan.bounds).any(axis=1)
    wrong = int(np.count_nonzero(present & (flags & 0x10 > 0) & ~empty))
    told = f"{wrong} geometries of {table} are flagged to be empty, and are not"
    found.expect("Req 19", not wrong, told)
    kept = np.flatnonzero(present & (flags >> 1 & 7 > 0) & ~empty)
    boxes = _boxes(heads[kept], flags[kept])
    bounds = scan.bounds[kept]
    slack = _ROUNDING * np.maximum(1, np.abs(bounds).max(axis=1, initial=0))[:, None]
    inside = (boxes[:, [0, 2]] <= bounds[:, :2] + slack).all(axis=1)
    inside &= (boxes[:, [1, 3]] >= bounds[:, 2:] - slack).all(axis=1)
    out = int(np.count_nonzero(~inside))
    found.expect("Req 19", not out, f"{out} geometries of {table} lie outside of their envelope")


def _heads(
    database: sqlite3.Connection, table: str, column: str
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(n, 40) first bytes of geometries in the order of their rows, and which of them are whole."""
    size = HEAD + ENVELOPE
    cell = quoted(column)
    query = f"SELECT substr({cell}, 1, {size}) FROM {quoted(table)} ORDER BY rowid"  # noqa: S608
    cursor = database.execute(query)
    parts: list[NDArray[np.uint8]] = [np.empty((0, size), np.uint8)]
    whole: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]
    while rows := cursor.fetchmany(BATCH_ROWS):
        texts = [r[0] if isinstance(r[0], bytes) else b"" for r in rows]
        whole.append(np.fromiter((t[:3] == b"GP\0" for t in texts), np.bool_, len(texts)))
        joined = b"".join(t.ljust(size, b"\0") for t in texts)
        parts.append(np.frombuffer(joined, np.uint8).reshape(-1, size))
    return np.concatenate(parts), np.concatenate(whole)


def _boxes(heads: NDArray[np.uint8], flags: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 4) xmin, xmax, ymin and ymax of headers with an envelope."""
    raw = np.ascontiguousarray(heads[:, HEAD:])
    little, big = raw.view("<f8"), raw.view(">f8")
    return np.where((flags & 1)[:, None] == 1, little, big)

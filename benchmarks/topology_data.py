"""Layers for the topology benchmark: a damaged coverage, buildings, and areas to be covered by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from feature_rules import cells
from numpy.typing import NDArray

CHUNK = 50_000
EVERY = 1000
"""One polygon of so many is damaged: 0.1 %."""
CRS = "EPSG:32633"

Chunks = Callable[[int, int], NDArray[np.object_]]


def coverage(count: int) -> Chunks:
    """Cells of 17 vertices that share their edges; every thousandth one is damaged.

    In turns: a vertex moved by a fifth of the cell's width (a sliver of overlap, gap, or both), the
    cell moved as a whole, the cell left out and its left neighbour there twice, a little
    apart, and a hole. No polygon contains another one, so that ``ST_Overlaps`` finds every pair.
    """
    columns = int(count**0.5) + 1

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        whole = cells(first, number, columns)
        hit = np.flatnonzero(np.arange(first, first + number) % EVERY == EVERY // 2)
        for i in hit.tolist():
            ring = shapely.get_coordinates(whole[i])
            kind = (first + i) // EVERY % 4
            if kind == 0:
                ring[2] += [0.7, 2.0]
            elif kind == 1:
                ring += [0.5, 0.3]
            elif kind == 2:
                ring = shapely.get_coordinates(whole[i - 1]) + np.array([0.3, 0.2])
            middle = ring.mean(axis=0)
            square = middle + np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
            whole[i] = shapely.Polygon(ring, [square] if kind == 3 else [])
        return whole

    return chunk


def buildings(count: int) -> Chunks:
    """Turned L-shaped buildings of 17 vertices; every thousandth one stands in its neighbour.

    A third of them stand wall to wall with the next one, the walls digitised with different
    vertices, so that no two polygons share an edge.
    """
    columns = int(count**0.5) + 1
    corners = np.array([[0, 0], [8, 0], [8, 4], [4, 4], [4, 8], [0, 8]], dtype=float)
    steps = np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, -1], [0, 1, -1]])

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        index = np.arange(first, first + number)
        random = np.random.default_rng(first)
        outline = []
        for k in range(6):
            a, b = corners[k], corners[(k + 1) % 6]
            at = random.uniform(0.1, 0.4, (number, 1)) + 0.3 * steps[k][steps[k] >= 0]
            at[:, 0] = 0
            outline.append(a + at[..., None] * (b - a))
        ring = np.concatenate(outline, axis=1)
        ring = np.concatenate([ring, ring[:, :1]], axis=1)
        angle = np.where(index % 3 == 0, 0.0, random.uniform(0, 2 * np.pi, number))
        c, s = np.cos(angle), np.sin(angle)
        ring = np.stack(
            [
                c[:, None] * (ring[..., 0] - 4) - s[:, None] * (ring[..., 1] - 4),
                s[:, None] * (ring[..., 0] - 4) + c[:, None] * (ring[..., 1] - 4),
            ],
            axis=-1,
        )
        ring[..., 0] += 500_000 + 12.5 * (index % columns)[:, None]
        ring[..., 1] += 5_000_000 + 12.5 * (index // columns)[:, None]
        ring[index % EVERY == EVERY // 2] += [4.5, 2.0]
        return np.asarray(shapely.polygons(ring))

    return chunk


def districts(count: int, polygons: int, vertices: int) -> Chunks:
    """``polygons`` cells of about ``vertices`` vertices over the extent of ``coverage(count)``."""
    columns = int(polygons**0.5) + 1
    side = 10 * (int(count**0.5) + 1) / columns
    steps = vertices // 4
    t = np.arange(steps) / steps
    zero, one = np.zeros(steps), np.ones(steps)

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        index = np.arange(first, first + number)
        x = np.concatenate([t, one, 1 - t, zero, [0.0]]) + (index % columns)[:, None]
        y = np.concatenate([zero, t, one, 1 - t, [0.0]]) + (index // columns)[:, None]
        x, y = x + 0.02 * np.sin(40 * y), y + 0.02 * np.sin(40 * x)
        ring = np.stack([499_990 + 1.01 * side * x, 4_999_990 + 1.01 * side * y], axis=-1)
        return np.asarray(shapely.polygons(ring))

    return chunk


def write(path: Path, count: int, chunks: Chunks) -> None:
    """Writes GeoParquet with WKB that every peer reads."""
    schema = pa.schema({"id": pa.int64(), "geometry": pa.binary()})
    crs = pyproj.CRS.from_user_input(CRS).to_json_dict()
    column = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": crs}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    import json

    with pq.ParquetWriter(path, schema.with_metadata({"geo": json.dumps(geo)})) as writer:
        for first in range(0, count, CHUNK):
            number = min(CHUNK, count - first)
            geometry = shapely.to_wkb(chunks(first, number))
            index = np.arange(first, first + number)
            writer.write_table(pa.table([index, pa.array(geometry, pa.binary())], schema.names))

"""Data in memory and a rule run through the real engine: what the tests of rules are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import BandProfile, Column, RasterProfile, VectorProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violations import Violations


class MemoryVector:
    """A VectorData over arrays; staged order is source order unless ``order`` says otherwise."""

    version_id = "memory"

    def __init__(self, profile: VectorProfile, everything: FeatureBatch, batch_size: int) -> None:
        self.profile = profile
        self.everything = everything
        self.batch_size = batch_size

    def batch_count(self) -> int:
        return -(-len(self.everything) // self.batch_size)

    def batch_starts(self) -> NDArray[np.int64]:
        count = len(self.everything)
        return np.array([*range(0, count, self.batch_size), count], dtype=np.int64)

    def row_count(self) -> int:
        return len(self.everything)

    def row_bytes(self, columns: Sequence[str]) -> float:
        wkb, table = self.everything.wkb, self.everything.table.select(list(columns))
        return ((0 if wkb is None else wkb.nbytes) + table.nbytes) / max(len(self.everything), 1)

    def batch(self, index: int, columns: Sequence[str], *, geometry: bool = True) -> FeatureBatch:
        stop = min((index + 1) * self.batch_size, len(self.everything))
        return self.take(np.arange(index * self.batch_size, stop), columns, geometry=geometry)

    def feature_bounds(self) -> NDArray[np.float64]:
        bounds = shapely.bounds(self.everything.geometry).reshape(-1, 4)
        return np.where(np.isfinite(bounds).all(axis=1)[:, None], bounds, np.nan)

    def batch_bounds(self, index: int) -> NDArray[np.float64]:
        begin, end = self.batch_starts()[index : index + 2]
        return self.feature_bounds()[begin:end]

    def take(
        self, positions: NDArray[np.int64], columns: Sequence[str], *, geometry: bool = True
    ) -> FeatureBatch:
        taken = self.everything.take(np.asarray(positions, dtype=np.int64))
        return FeatureBatch(
            rows=taken.rows,
            positions=taken.positions,
            table=taken.table.select(list(columns))
            if columns
            else pa.table({}).select([])
            if not len(taken)
            else _empty_table(len(taken)),
            wkb=taken.wkb if geometry else None,
            crs=taken.crs,
        )

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        order = np.argsort(self.everything.rows)
        return order[np.searchsorted(self.everything.rows[order], rows)]


def _empty_table(n: int) -> pa.Table:
    """A table of n rows and no columns."""
    return pa.table({"x": pa.nulls(n)}).select([])


def memory_vector(
    geometries: Sequence[Any],
    columns: Mapping[str, Any] | None = None,
    crs: Any = "EPSG:32633",
    batch_size: int = 1000,
    rows: Sequence[int] | None = None,
    **profile: Any,
) -> MemoryVector:
    """A vector version in memory.

    Args:
        geometries: shapely geometries, None, or WKB bytes.
        columns: attribute columns (lists or Arrow arrays).
        crs: anything pyproj takes, or None.
        batch_size: features a batch.
        rows: source rows; 0 … n-1 unless given.
        profile: fields of VectorProfile to override.
    """
    n = len(geometries)
    wkb = [
        g if g is None or isinstance(g, bytes) else shapely.to_wkb(g, flavor="iso")
        for g in geometries
    ]
    table = pa.table(
        {k: pa.array(v) if isinstance(v, list) else v for k, v in (columns or {}).items()}
    )
    crs_object = None if crs is None else pyproj.CRS.from_user_input(crs)
    everything = FeatureBatch(
        rows=np.arange(n) if rows is None else np.asarray(rows, dtype=np.int64),
        positions=np.arange(n),
        table=table if columns else _empty_table(n),
        wkb=pa.array(wkb, type=pa.binary()),
        crs=crs_object,
    )
    bounds = shapely.total_bounds(everything.geometry) if n else np.full(4, np.nan)
    values: dict[str, Any] = {
        "uri": "memory",
        "driver": "Memory",
        "crs": None if crs_object is None else crs_object.to_wkt(),
        "geometry_type": "Unknown",
        "columns": tuple(Column(f.name, str(f.type), f.nullable) for f in table.schema),
        "count": n,
        "declared_count": n,
        "bounds": tuple(bounds.tolist()) if np.isfinite(bounds).all() else None,
    }
    return MemoryVector(VectorProfile(**{**values, **profile}), everything, batch_size)


class MemoryRaster:
    """A RasterData over arrays."""

    version_id = "memory"

    def __init__(
        self, profile: RasterProfile, values: NDArray[Any], valid: NDArray[np.bool_], block: int
    ) -> None:
        self.profile = profile
        self.values = values
        self.valid = valid
        self.block = block

    def windows(self) -> Sequence[tuple[int, int, int, int]]:
        _, height, width = self.values.shape
        return [
            (r, c, min(self.block, height - r), min(self.block, width - c))
            for r in range(0, height, self.block)
            for c in range(0, width, self.block)
        ]

    def read(self, row_off: int, col_off: int, height: int, width: int) -> PixelWindow:
        where = (
            slice(None),
            slice(row_off, row_off + height),
            slice(col_off, col_off + width),
        )
        return PixelWindow(
            self.values[where], self.valid[where], row_off, col_off, self.profile.transform
        )

    def tags(self) -> dict[str, str]:
        return dict(self.profile.tags)


def memory_raster(
    values: Any,
    nodata: float | None = None,
    valid: Any = None,
    crs: Any = "EPSG:32633",
    transform: tuple[float, float, float, float, float, float] = (1, 0, 0, 0, -1, 0),
    block: int = 16,
    **profile: Any,
) -> MemoryRaster:
    """A raster version in memory.

    Args:
        values: (bands, height, width) array.
        nodata: nodata value of every band.
        valid: (bands, height, width) bool; from ``nodata`` unless given.
        crs: anything pyproj takes, or None.
        transform: affine coefficients (a, b, c, d, e, f).
        block: pixels a window side.
        profile: fields of RasterProfile to override.
    """
    array = np.asarray(values)
    if valid is None:
        valid = np.ones(array.shape, dtype=bool)
        if nodata is not None:
            valid = ~np.isnan(array) if np.isnan(nodata) else array != nodata
    stored = "nan" if nodata is not None and np.isnan(nodata) else nodata
    fields: dict[str, Any] = {
        "uri": "memory",
        "driver": "MEM",
        "crs": None if crs is None else pyproj.CRS.from_user_input(crs).to_wkt(),
        "width": array.shape[2],
        "height": array.shape[1],
        "transform": tuple(float(v) for v in transform),
        "bands": tuple(BandProfile(str(array.dtype), stored) for _ in array),
        "block_shapes": tuple((block, block) for _ in array),
    }
    return MemoryRaster(
        RasterProfile(**{**fields, **profile}), array, np.asarray(valid, dtype=bool), block
    )


def run_rule(
    rule: Rule,
    data: Any,
    *others: Any,
    tile_size: int | None = None,
    jobs: int = 1,
    key: tuple[str, ...] = (),
) -> tuple[Result, Violations]:
    """One rule on one version through the real engine."""
    results = asyncio.run(
        evaluate(
            [rule],
            data,
            key=key,
            others=lambda _: others,
            plan=Plan(jobs=jobs, piece_size=tile_size),
        )
    )
    return results[0]

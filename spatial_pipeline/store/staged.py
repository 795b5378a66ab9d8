"""Readers of staged versions: GeoParquet by row group, COG by window."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from spatial_pipeline.pieces import FeatureBatch, PixelWindow
from spatial_pipeline.versions import RasterProfile, VectorProfile

CACHED_ROW_GROUPS = 6
WINDOW_PIXELS = 1 << 22
"""Pixels a window, all bands together: about 4 to 32 MiB."""


class StagedVector:
    """A staged GeoParquet file; see ``pieces.VectorData``."""

    def __init__(self, path: Path, profile: VectorProfile, version_id: str) -> None:
        self._path = path
        self._profile = profile
        self._version_id = version_id
        self._metadata = pq.read_metadata(path)
        counts = [self._metadata.row_group(i).num_rows for i in range(self.batch_count())]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._cache: OrderedDict[tuple[int, tuple[str, ...]], pa.Table] = OrderedDict()
        self._lock = threading.Lock()
        self._files = threading.local()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, VectorProfile, str]]:
        """Another process opens the file anew: its address travels, no cache and no lock."""
        return type(self), (self.path, self._profile, self._version_id)

    @property
    def path(self) -> Path:
        """Absolute path of the file."""
        return self._path.absolute()

    @property
    def profile(self) -> VectorProfile:
        """Metadata of the source."""
        return self._profile

    @property
    def version_id(self) -> str:
        """Content name of the version."""
        return self._version_id

    def batch_count(self) -> int:
        """Number of row groups."""
        return cast("int", self._metadata.num_row_groups)

    def row_bytes(self, columns: Sequence[str]) -> float:
        """Bytes of a feature in the file before compression, on average."""
        wanted = set(self._names(tuple(columns)))
        total = 0
        for index in range(self._metadata.num_row_groups):
            group = self._metadata.row_group(index)
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema.split(".")[0] in wanted:
                    total += chunk.total_uncompressed_size
        return total / max(self._profile.count, 1)

    def batch(self, index: int, columns: Sequence[str]) -> FeatureBatch:
        """Row group ``index`` with the named attribute columns."""
        table = self._row_group(index, tuple(columns))
        return self._features(table, np.arange(self._starts[index], self._starts[index + 1]))

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        if self._profile.geometry_column is None or not self._profile.count:
            return np.full((self._profile.count, 4), np.nan)
        box = self._file().read(columns=[self._profile.bbox_column]).column(0).combine_chunks()
        fields = [
            pc.struct_field(box, name).to_numpy(zero_copy_only=False).astype(np.float64)
            for name in ("xmin", "ymin", "xmax", "ymax")
        ]
        return np.stack(fields, axis=1)

    def feature_bounds(self) -> NDArray[np.float64]:
        """(count, 4) bounds of every feature in staged order; NaN rows for null and empty."""
        with self._lock:
            return self._bounds

    @cached_property
    def _row_order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = self._file().read(columns=[self._profile.row_column]).column(0).to_numpy()
        order = np.argsort(rows, kind="stable")
        return rows[order], order

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Staged positions of these source rows."""
        with self._lock:
            ordered, positions = self._row_order
        return positions[np.searchsorted(ordered, rows)]

    def take(self, positions: NDArray[np.int64], columns: Sequence[str]) -> FeatureBatch:
        """The features at these staged positions, in the order given."""
        positions = np.asarray(positions, dtype=np.int64)
        names = tuple(columns)
        if not len(positions):
            empty = self._file().schema_arrow.empty_table().select(self._names(names))
            return self._features(empty, positions)
        groups = np.searchsorted(self._starts, positions, side="right") - 1
        order = np.argsort(groups, kind="stable")
        parts = [
            self._row_group(int(g), names).take(
                pa.array(positions[order][groups[order] == g] - self._starts[g])
            )
            for g in np.unique(groups)
        ]
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return self._features(pa.concat_tables(parts).take(pa.array(back)), positions)

    def _names(self, columns: tuple[str, ...]) -> list[str]:
        geometry = self._profile.geometry_column
        return [*([geometry] if geometry else []), self._profile.row_column, *columns]

    def _row_group(self, index: int, columns: tuple[str, ...]) -> pa.Table:
        key = (index, columns)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        table = self._file().read_row_group(index, columns=self._names(columns), use_threads=False)
        with self._lock:
            self._cache[key] = table
            while len(self._cache) > CACHED_ROW_GROUPS:
                self._cache.popitem(last=False)
        return table

    def _features(self, table: pa.Table, positions: NDArray[np.int64]) -> FeatureBatch:
        geometry = self._profile.geometry_column
        helpers = {self._profile.row_column, geometry}
        return FeatureBatch(
            rows=table.column(self._profile.row_column).to_numpy(),
            positions=positions.astype(np.int64),
            table=table.select([c for c in table.column_names if c not in helpers]),
            wkb=None if geometry is None else table.column(geometry).combine_chunks(),
            crs=self._profile.pyproj_crs,
        )

    def _file(self) -> pq.ParquetFile:
        """One open file a thread: a ParquetFile has one position."""
        if not hasattr(self._files, "file"):
            self._files.file = pq.ParquetFile(self._path)
        return cast("pq.ParquetFile", self._files.file)


class StagedRaster:
    """A staged COG; see ``pieces.RasterData``."""

    def __init__(self, path: Path, profile: RasterProfile, version_id: str) -> None:
        self._path = path
        self._profile = profile
        self._version_id = version_id
        self._files = threading.local()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, RasterProfile, str]]:
        """Another process opens the file anew: its address travels, no open dataset."""
        return type(self), (self.path, self._profile, self._version_id)

    @property
    def path(self) -> Path:
        """Absolute path of the file."""
        return self._path.absolute()

    @property
    def profile(self) -> RasterProfile:
        """Metadata of the source."""
        return self._profile

    @property
    def version_id(self) -> str:
        """Content name of the version."""
        return self._version_id

    def windows(self) -> Sequence[tuple[int, int, int, int]]:
        """Block-aligned (row_off, col_off, height, width), disjoint and covering the raster."""
        if self._profile.error is not None:
            return []
        dataset = self._dataset()
        block_height, block_width = dataset.block_shapes[0]
        blocks = max(1, WINDOW_PIXELS // (block_height * block_width * max(1, dataset.count)))
        width = min(dataset.width, block_width * blocks)
        rows = max(1, blocks // -(-width // block_width))
        height = block_height * rows
        return [
            (r, c, min(height, dataset.height - r), min(width, dataset.width - c))
            for r in range(0, dataset.height, height)
            for c in range(0, dataset.width, width)
        ]

    def read(self, row_off: int, col_off: int, height: int, width: int) -> PixelWindow:
        """Any window inside the raster, all bands."""
        dataset = self._dataset()
        window = Window(col_off, row_off, width, height)
        values = dataset.read(window=window)
        valid = dataset.read_masks(window=window) != 0
        return PixelWindow(values, valid, row_off, col_off, self._profile.transform)

    def _dataset(self) -> Any:
        """One open dataset a thread: GDAL datasets are never shared."""
        if not hasattr(self._files, "dataset"):
            self._files.dataset = rasterio.open(self._path)
        return self._files.dataset

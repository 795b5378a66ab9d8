"""Readers of staged versions: GeoParquet by row group, COG by window.

GDAL is loaded with the first raster: the check of a small vector file would spend more time on
importing it than on its rules.
"""

from __future__ import annotations

import itertools
import logging
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import RasterProfile, VectorProfile, can_hold
from spatial_pipeline.model.raster_window import PixelWindow

CACHED_ROW_GROUPS = 6
AT_ONCE = 65_536
"""Features whose bounds, or rows, are read at once."""
ORDERED_ROWS = 1 << 20
"""Features up to which the position of each source row is kept."""
SPARSE = 4
"""Rows of the source for each one staged above which it is not: 8 bytes a row of the source."""
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
        self._loading: dict[tuple[int, tuple[str, ...]], threading.Lock] = {}
        self._lock = threading.Lock()
        self._files = threading.local()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, VectorProfile, str]]:
        """State for another process, which opens the file itself: the path, no cache, no lock."""
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

    def batch_starts(self) -> NDArray[np.int64]:
        """(batches + 1,) staged positions at which row groups begin, and the number of rows."""
        return self._starts

    def row_count(self) -> int:
        """Number of rows of the file."""
        return int(self._starts[-1])

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

    def batch(self, index: int, columns: Sequence[str], *, geometry: bool = True) -> FeatureBatch:
        """Row group ``index`` with the named attribute columns; geometry when wanted."""
        table = self._row_group(index, self._names(tuple(columns), geometry))
        return self._features(table, np.arange(self._starts[index], self._starts[index + 1]))

    @cached_property
    def _bounds(self) -> NDArray[np.float64]:
        bounds = np.full((self._profile.count, 4), np.nan)
        if self._profile.geometry_column is None or not self._profile.count:
            return bounds
        begin = 0
        # Batch by batch: read whole, the column would be in memory three times for a while.
        for batch in self._file().iter_batches(AT_ONCE, columns=[self._profile.bbox_column]):
            end = begin + batch.num_rows
            bounds[begin:end] = _corners(batch.column(0))
            begin = end
        return bounds

    def batch_bounds(self, index: int) -> NDArray[np.float64]:
        """(n, 4) bounds of the features of row group ``index``; NaN rows for null and empty."""
        if self._profile.geometry_column is None:
            return np.full((int(np.diff(self._starts)[index]), 4), np.nan)
        columns = [self._profile.bbox_column]
        table = self._file().read_row_group(index, columns=columns, use_threads=False)
        return _corners(table.column(0))

    def feature_bounds(self) -> NDArray[np.float64]:
        """(count, 4) bounds of every feature in staged order; NaN rows for null and empty."""
        with self._lock:
            return self._bounds

    @cached_property
    def _position_of_row(self) -> NDArray[np.int64] | None:
        """The position of each source row; None where few rows of the source were staged."""
        rows = self._file().read(columns=[self._profile.row_column]).column(0).to_numpy()
        span = int(rows.max(initial=-1)) + 1
        if span > SPARSE * len(rows):
            return None
        positions = np.zeros(span, dtype=np.int64)
        # Part by part: this keeps the GIL.
        for begin in range(0, len(rows), AT_ONCE):
            some = rows[begin : begin + AT_ONCE]
            positions[some] = np.arange(begin, begin + len(some))
        return positions

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Staged positions of these source rows."""
        rows = np.asarray(rows, dtype=np.int64)
        if self._profile.count > ORDERED_ROWS:
            return self._searched(rows)
        with self._lock:
            positions = self._position_of_row
        return self._searched(rows) if positions is None else positions[rows]

    def _searched(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Staged positions of source rows, by reading the numbers of all rows once."""
        wanted, back = np.unique(rows, return_inverse=True)
        found = np.empty(len(wanted), dtype=np.int64)
        begin = 0
        for batch in self._file().iter_batches(AT_ONCE, columns=[self._profile.row_column]):
            here = batch.column(0).to_numpy()
            at = np.minimum(np.searchsorted(wanted, here), len(wanted) - 1)
            hit = np.flatnonzero(wanted[at] == here) if len(wanted) else at[:0]
            found[at[hit]] = begin + hit
            begin += len(here)
        return found[back]

    def take(
        self, positions: NDArray[np.int64], columns: Sequence[str], *, geometry: bool = True
    ) -> FeatureBatch:
        """The features at these staged positions, in the order given."""
        positions = np.asarray(positions, dtype=np.int64)
        names = self._names(tuple(columns), geometry)
        if not len(positions):
            return self._features(self._file().schema_arrow.empty_table().select(names), positions)
        ascending = bool((positions[1:] >= positions[:-1]).all())
        order = None if ascending else np.argsort(positions, kind="stable")
        ordered = positions if order is None else positions[order]
        cuts = np.searchsorted(ordered, self._starts)
        table = pa.concat_tables(
            [
                _rows(self._row_group(group, names), ordered[begin:end] - self._starts[group])
                for group, (begin, end) in enumerate(itertools.pairwise(cuts.tolist()))
                if begin < end
            ]
        )
        if order is not None:
            back = np.empty(len(order), dtype=np.int64)
            back[order] = np.arange(len(order))
            table = table.take(pa.array(back))
        return self._features(table, positions)

    def _names(self, columns: tuple[str, ...], geometry: bool = True) -> tuple[str, ...]:
        column = self._profile.geometry_column if geometry else None
        return (*([column] if column else []), self._profile.row_column, *columns)

    def _row_group(self, index: int, names: tuple[str, ...]) -> pa.Table:
        """A row group; read once for all threads that want it at the same time."""
        key = (index, names)
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                if key in self._cache:
                    self._cache.move_to_end(key)
                    return self._cache[key]
            table = self._file().read_row_group(index, columns=list(names), use_threads=False)
            with self._lock:
                self._cache[key] = table
                self._loading.pop(key, None)
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
            wkb=table.column(geometry).combine_chunks() if geometry in table.column_names else None,
            crs=self._profile.pyproj_crs,
        )

    def _file(self) -> pq.ParquetFile:
        """One open file a thread: a ParquetFile has one position."""
        if not hasattr(self._files, "file"):
            self._files.file = pq.ParquetFile(self._path)
        return cast("pq.ParquetFile", self._files.file)


def _corners(boxes: Any) -> NDArray[np.float64]:
    """(n, 4) bounds from a column of boxes."""
    fields = [pc.struct_field(boxes, name) for name in ("xmin", "ymin", "xmax", "ymax")]
    return np.stack([f.to_numpy(zero_copy_only=False) for f in fields], axis=1)


def _rows(table: pa.Table, index: NDArray[np.int64]) -> pa.Table:
    """Some rows of a table in ascending order; those in a row are not copied."""
    if index[-1] - index[0] + 1 == len(index) and (index[1:] > index[:-1]).all():
        return table.slice(int(index[0]), len(index))
    return table.take(pa.array(index))


class _Approximate(logging.Filter):
    """Leaves out that GDAL rounds 64-bit nodata: masks are made of what the profile has."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "approximate value of the true nodata" not in record.getMessage()


logging.getLogger("rasterio._env").addFilter(_Approximate())


class StagedRaster:
    """A staged COG; see ``pieces.RasterData``."""

    def __init__(self, path: Path, profile: RasterProfile, version_id: str) -> None:
        self._path = path
        self._profile = profile
        self._version_id = version_id
        self._files = threading.local()

    def __reduce__(self) -> tuple[type[Self], tuple[Path, RasterProfile, str]]:
        """State for another process, which opens the file itself: the path, no open dataset."""
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
        from rasterio.windows import Window

        dataset = self._dataset()
        window = Window(col_off, row_off, width, height)
        values = dataset.read(window=window)
        nodata = [band.nodata for band in self._profile.bands]
        valid = _known_mask(self._files.flags, values, nodata)
        if valid is None:
            valid = dataset.read_masks(window=window) != 0
        return PixelWindow(values, valid, row_off, col_off, self._profile.transform)

    def preview(self, most: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The whole raster at reduced size, from its overviews where it has them.

        Args:
            most: longest side in pixels.

        Returns:
            (bands, height, width) pixels, and (height, width) True where any band is valid.

        Raises:
            OSError: a block cannot be read.

        """
        dataset = self._dataset()
        shrink = max(1.0, max(dataset.width, dataset.height) / most)
        height, width = (max(1, round(n / shrink)) for n in (dataset.height, dataset.width))
        values = dataset.read(out_shape=(dataset.count, height, width))
        masks = dataset.read_masks(out_shape=(dataset.count, height, width))
        return values, (masks != 0).any(axis=0)

    def tags(self) -> dict[str, str]:
        """Tags of the staged file (default domain), as they are once those of others are loaded."""
        dataset = self._dataset()
        for domain in dataset.tag_namespaces():
            dataset.tags(ns=domain or None)
        return dict(dataset.tags())

    def _dataset(self) -> Any:
        """One open dataset a thread: GDAL datasets are never shared."""
        if not hasattr(self._files, "dataset"):
            import rasterio
            from rasterio.errors import NotGeoreferencedWarning

            from spatial_pipeline.runtime import gdal_cache

            gdal_cache.bound()
            with warnings.catch_warnings():
                # Rules say what a raster without a grid lacks; a reader has nothing to add.
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                dataset = rasterio.open(self._path)
                self._files.flags = dataset.mask_flag_enums
                self._files.dataset = dataset
        return self._files.dataset


def _known_mask(
    mask_flags: Sequence[Any], values: NDArray[Any], nodata: Sequence[float | str | None]
) -> NDArray[np.bool_] | None:
    """Mask of valid pixels from integers and their nodata values; None where GDAL must decide.

    GDAL's own masks take a value between two integers for the lower one.
    """
    if values.dtype.kind not in "iu":
        return None
    from rasterio.enums import MaskFlags

    flags = [f for f in mask_flags if f != [MaskFlags.all_valid]]
    if any(f != [MaskFlags.nodata] for f in flags) or (flags and len(nodata) != len(values)):
        return None
    valid = np.ones(values.shape, dtype=bool)
    if not flags:
        return valid
    for band, value in enumerate(nodata):
        if value is None:
            # A version of an ingest that did not see what GDAL sees.
            return None
        if can_hold(values.dtype.name, value):
            np.not_equal(values[band], values.dtype.type(int(value)), out=valid[band])
    return valid

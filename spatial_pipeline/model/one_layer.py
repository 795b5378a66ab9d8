"""Several vector datasets read as one layer, for rules that compare with all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same_horizontally
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.runtime.hashing import fingerprint

SOURCE_ROWS = 1 << 40
"""Rows of one layer; that many times its number is added, so that rows name one feature."""


class OneLayer:
    """The features of several datasets, one dataset after the other; see ``VectorReader``.

    Columns are those that all of them have. Numbers of different types become the wider one.
    """

    def __init__(self, layers: Sequence[VectorReader]) -> None:
        """Puts the layers together.

        Args:
            layers: at least one.

        Raises:
            RuleError: their coordinates mean different things.

        """
        self.layers = tuple(layers)
        self._profile = _together([layer.profile for layer in layers])
        counts = [layer.row_count() for layer in layers]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        batches = [layer.batch_count() for layer in layers]
        self._batches = np.concatenate([[0], np.cumsum(batches, dtype=np.int64)])

    @property
    def profile(self) -> VectorProfile:
        """Metadata of all of them together."""
        return self._profile

    @property
    def version_id(self) -> str:
        """Content name of all of them."""
        return fingerprint([layer.version_id for layer in self.layers])

    def batch_count(self) -> int:
        """Number of batches."""
        return int(self._batches[-1])

    def batch_starts(self) -> NDArray[np.int64]:
        """(batches + 1,) positions at which batches begin, and the number of features."""
        shifted = [
            layer.batch_starts()[:-1] + start
            for layer, start in zip(self.layers, self._starts, strict=False)
        ]
        return np.concatenate([*shifted, self._starts[-1:]])

    def row_count(self) -> int:
        """Number of features."""
        return int(self._starts[-1])

    def row_bytes(self, columns: Sequence[str]) -> float:
        """Average staged bytes of a feature."""
        counts = np.diff(self._starts)
        sizes = np.array([layer.row_bytes(columns) for layer in self.layers])
        return float((counts * sizes).sum() / max(counts.sum(), 1))

    def batch(self, index: int, columns: Sequence[str], *, geometry: bool = True) -> FeatureBatch:
        """Batch ``index`` with the named columns."""
        layer = int(np.searchsorted(self._batches, index, side="right")) - 1
        inner = index - int(self._batches[layer])
        found = self.layers[layer].batch(inner, columns, geometry=geometry)
        return self._placed(layer, found, self._schema(columns))

    def feature_bounds(self) -> NDArray[np.float64]:
        """(count, 4) bounds of every feature."""
        return np.concatenate([layer.feature_bounds() for layer in self.layers])

    def batch_bounds(self, index: int) -> NDArray[np.float64]:
        """(n, 4) the same of batch ``index``."""
        layer = int(np.searchsorted(self._batches, index, side="right")) - 1
        return self.layers[layer].batch_bounds(index - int(self._batches[layer]))

    def take(
        self, positions: NDArray[np.int64], columns: Sequence[str], *, geometry: bool = True
    ) -> FeatureBatch:
        """The features at these positions, in the order given."""
        positions = np.asarray(positions, dtype=np.int64)
        owner = np.searchsorted(self._starts, positions, side="right") - 1
        schema = self._schema(columns)
        order, parts = [], []
        for number, layer in enumerate(self.layers):
            mine = np.flatnonzero(owner == number)
            if len(mine) or not number:
                taken = layer.take(
                    positions[mine] - self._starts[number], columns, geometry=geometry
                )
                parts.append(self._placed(number, taken, schema))
                order.append(mine)
        whole = parts[0] if len(parts) == 1 else _joined(parts)
        back = np.argsort(np.concatenate(order), kind="stable")
        return whole if len(parts) == 1 else whole.take(back)

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of these rows."""
        layers, inner = np.divmod(np.asarray(rows, dtype=np.int64), SOURCE_ROWS)
        positions = np.empty(len(inner), dtype=np.int64)
        for number, layer in enumerate(self.layers):
            mine = np.flatnonzero(layers == number)
            if len(mine):
                found = layer.rows_to_positions(inner[mine])
                positions[mine] = found + self._starts[number]
        return positions

    def row_name(self, row: int) -> tuple[str, int]:
        """The dataset of a row, and its number there."""
        layer, inner = divmod(row, SOURCE_ROWS)
        return self.layers[layer].profile.uri, inner

    def _schema(self, columns: Sequence[str]) -> pa.Schema | None:
        """Types that hold the values of all layers; None without columns.

        Raises:
            RuleError: there is no such type.

        """
        if not columns:
            return None
        nowhere = np.empty(0, np.int64)
        schemas = [
            layer.take(nowhere, columns, geometry=False).table.schema.remove_metadata()
            for layer in self.layers
        ]
        try:
            return pa.unify_schemas(schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as exc:
            msg = f"the columns of {self._profile.uri} differ: {exc}"
            raise RuleError(msg) from exc

    def _placed(self, layer: int, batch: FeatureBatch, schema: pa.Schema | None) -> FeatureBatch:
        """A batch of one layer with the rows and positions that it has in all."""
        return replace(
            batch,
            rows=batch.rows + layer * SOURCE_ROWS,
            positions=batch.positions + self._starts[layer],
            table=batch.table if schema is None else batch.table.cast(schema),
            crs=self._profile.pyproj_crs,
        )


def each(readers: Iterable[Reader]) -> tuple[Reader, ...]:
    """The readers, with the datasets of each layer in its place."""
    return tuple(o for r in readers for o in (r.layers if isinstance(r, OneLayer) else (r,)))


def _joined(parts: Sequence[FeatureBatch]) -> FeatureBatch:
    wkb = None
    if all(p.wkb is not None for p in parts):
        chunks = [c for p in parts for c in _chunks(p.wkb)]
        kind = pa.large_binary() if any(pa.types.is_large_binary(c.type) for c in chunks) else None
        wkb = pa.concat_arrays([c if kind is None else c.cast(kind) for c in chunks])
    tables = [p.table for p in parts]
    return FeatureBatch(
        rows=np.concatenate([p.rows for p in parts]),
        positions=np.concatenate([p.positions for p in parts]),
        table=pa.concat_tables(tables) if tables[0].num_columns else _rows_only(tables),
        wkb=wkb,
        crs=parts[0].crs,
    )


def _rows_only(tables: Sequence[pa.Table]) -> pa.Table:
    """A table without columns, whose rows would be lost by putting tables together."""
    return pa.table({"x": pa.nulls(sum(len(t) for t in tables))}).select([])


def _chunks(array: pa.Array | pa.ChunkedArray) -> Sequence[pa.Array]:
    return array.chunks if isinstance(array, pa.ChunkedArray) else [array]


def _together(profiles: Sequence[VectorProfile]) -> VectorProfile:
    """Metadata of several datasets that share a CRS.

    Raises:
        RuleError: they do not, or only some have geometry.

    """
    first = profiles[0]
    names = ", ".join(dict.fromkeys(p.uri for p in profiles))
    for other in profiles[1:]:
        one, two = first.pyproj_crs, other.pyproj_crs
        if (one is None) != (two is None) or not (one is None or same_horizontally(one, two)):
            msg = f"others: {first.uri} and {other.uri} have different CRSs: one layer needs one"
            raise RuleError(msg)
        if (first.geometry_column is None) != (other.geometry_column is None):
            msg = f"others: of {names}, some have geometry and some have none"
            raise RuleError(msg)
    common = set.intersection(*({c.name for c in p.columns} for p in profiles))
    types = {p.geometry_type for p in profiles}
    boxes = np.array([p.bounds for p in profiles if p.bounds is not None]).reshape(-1, 4)
    corners = (
        *boxes[:, :2].min(axis=0, initial=np.inf),
        *boxes[:, 2:].max(axis=0, initial=-np.inf),
    )
    xmin, ymin, xmax, ymax = map(float, corners)
    return replace(
        first,
        uri=names,
        geometry_type=first.geometry_type if len(types) == 1 else "Unknown",
        columns=tuple(c for c in first.columns if c.name in common),
        count=sum(p.count for p in profiles),
        declared_count=None,
        bounds=(xmin, ymin, xmax, ymax) if len(boxes) else None,
        declared_bounds=None,
        undecodable=tuple(
            row + number * SOURCE_ROWS for number, p in enumerate(profiles) for row in p.undecodable
        ),
        defects=(),
        defect_count=0,
        notes=tuple(dict.fromkeys(n for p in profiles for n in p.notes)),
        checksums=None,
        feature_ids=None,
        conformance=None,
        curves=None,
        layers=None,
        spatial_index=None,
        delivery=None,
    )


__all__ = ["SOURCE_ROWS", "OneLayer", "each"]

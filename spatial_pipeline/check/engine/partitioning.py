"""Partitions a staged vector version into pieces, and finds its features around each piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa

from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.join.where_filter import mask
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.readers import VectorReader


@dataclass(frozen=True)
class Span:
    """A piece: consecutive features of one batch.

    Attributes:
        batch: number of the batch.
        begin: staged position of the first feature.
        end: staged position behind the last one.
        skipped: features of the batch before it.

    """

    batch: int
    begin: int
    end: int
    skipped: int

    def __len__(self) -> int:
        return self.end - self.begin

    @property
    def places(self) -> slice:
        """Its staged positions."""
        return slice(self.begin, self.end)


@dataclass(frozen=True)
class Partitioning:
    """The partitioning of a version: its own batches, or parts of at most ``size`` of each.

    No piece has features of two batches, so equal batches of two versions have equal pieces.
    """

    data: VectorReader
    size: int | None = None

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The pieces in staged order."""
        found: list[Span] = []
        for batch, (begin, end) in enumerate(pairwise(self.data.batch_starts().tolist())):
            count = end - begin
            parts = 1 if self.size is None else -(-count // self.size)
            cuts = [begin + count * i // max(parts, 1) for i in range(parts + 1)]
            found += [Span(batch, one, other, one - begin) for one, other in pairwise(cuts)]
        return tuple(found)

    def __len__(self) -> int:
        return len(self.spans)

    def owned(self, index: int, columns: Sequence[str]) -> FeatureBatch:
        """The features that piece ``index`` owns, geometry decoded."""
        span = self.spans[index]
        starts = self.data.batch_starts()
        if len(span) == starts[span.batch + 1] - starts[span.batch]:
            return self.data.batch(span.batch, columns)
        return self.data.take(np.arange(span.begin, span.end), columns)

    @cached_property
    def boxes(self) -> Boxes:
        """Bounds of all features in staged order."""
        return Boxes(self.data.feature_bounds())

    def tile(self, owned: FeatureBatch, halo: float, columns: Sequence[str]) -> Tile:
        """The tile that owns these features, with everything within ``halo`` of one of them."""
        near = self.boxes.near(self.boxes.bounds[owned.positions], halo, owned.positions)
        if not len(near):
            return Tile(owned, len(owned))
        return Tile(concatenated(owned, self.data.take(near, columns)), len(owned))


def concatenated(first: FeatureBatch, second: FeatureBatch) -> FeatureBatch:
    """Both batches in one, geometries decoded once."""
    wkb = None
    if first.wkb is not None and second.wkb is not None:
        wkb = pa.concat_arrays([first.wkb, second.wkb.cast(first.wkb.type)])
    batch = FeatureBatch(
        rows=np.concatenate([first.rows, second.rows]),
        positions=np.concatenate([first.positions, second.positions]),
        table=pa.concat_tables([first.table, second.table]),
        wkb=wkb,
        crs=first.crs,
    )
    batch.__dict__["geometry"] = np.concatenate([first.geometry, second.geometry])
    return batch


def selected(tile: Tile, condition: str | None) -> Tile:
    """The features of a tile for which an attribute condition is true."""
    if condition is None:
        return tile
    keep = mask(tile.features.table, condition)
    return Tile(tile.features.take(keep), int(keep[: tile.owned].sum()))

"""groups_must_be_contiguous: polygons with equal values form one piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import Polygons, RuleOutcome, Violations
from spatial_pipeline.check.base import TileCheck, evaluates
from spatial_pipeline.check.forms.shapes_of_rows import shapes_of
from spatial_pipeline.check.forms.tile_rule import Neighbourhood
from spatial_pipeline.check.geometry.networks import components
from spatial_pipeline.check.geometry.related_pairs import related
from spatial_pipeline.check.geometry.unjudged import notes, require_geometry, summary
from spatial_pipeline.contract.rules.boundaries import GroupsMustBeContiguous
from spatial_pipeline.model.features import Tile

SHARED_AREA = "2********"
JOINED = ("****1****", SHARED_AREA)
"""DE-9IM masks: the boundaries share a stretch, the interiors an area."""


@dataclass(frozen=True)
class GroupedPolygons:
    """Partial result of one tile.

    Attributes:
        said: features for each note.
        row: (n,) source rows of the owned polygons.
        table: (n,) their groups.
        pairs: (k, 2) source rows of polygons that are joined.

    """

    said: Counter[str]
    row: NDArray[np.int64]
    table: pa.Table
    pairs: NDArray[np.int64]


@evaluates(GroupsMustBeContiguous)
class GroupsMustBeContiguousCheck(TileCheck[GroupsMustBeContiguous]):
    """One violation for each polygon outside the piece of its group that has most polygons.

    Polygons are joined by a shared stretch of boundary or a shared area. The measure is the number
    of polygons of the piece. Polygons with null in a column belong to no group.
    """

    def map(self, tile: Tile) -> GroupedPolygons:
        """The polygons of a tile, and the joined pairs of which it owns the first."""
        profile = self.context.data.profile
        require_geometry(profile)
        mine, said = Polygons.of(tile.features.take(np.arange(tile.owned)), profile, valid=True)
        every, _ = Polygons.of(tile.features, profile, valid=True)
        seen = Neighbourhood(every, len(mine), self.context.cancelled)
        rows = every.batch.rows[every.index]
        table = mine.batch.table.select(list(self.rule.group_by)).take(pa.array(mine.index))
        return GroupedPolygons(said, rows[: len(mine)], table, rows[self._joined(seen)])

    def _joined(self, tile: Neighbourhood) -> NDArray[np.int64]:
        """(k, 2) joined polygons, the one of lower position first, which the tile owns."""
        shapes = tile.geometry
        own, least = shapes[: tile.owned], self.rule.min_shared_length
        position, group = tile.position, tile.classes(self.rule.group_by)
        every = self.rule.allow_islands

        def wanted(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
            # Neighbours of other groups only tell islands.
            alike = every | (group[one] == group[other])
            return np.asarray(alike & (position[one] < position[other]))

        found = [related(own, shapes, mask, tile.cancelled, wanted) for mask in JOINED]
        pairs = np.unique(np.concatenate([np.column_stack(pair) for pair in found]), axis=0)
        one, other = pairs.T
        if least:
            boundary = shapely.boundary(shapes)
            length = shapely.length(shapely.intersection(boundary[one], boundary[other]))
            over = shapely.relate_pattern(shapes[one], shapes[other], SHARED_AREA)
            one, other = one[(length >= least) | over], other[(length >= least) | over]
        return np.column_stack([one, other])

    def reduce(self, partials: Sequence[GroupedPolygons]) -> RuleOutcome:
        """The polygons outside the main pieces."""
        row = np.concatenate([np.empty(0, np.int64), *(p.row for p in partials)])
        order = np.argsort(row)
        row = row[order]
        group = _groups([p.table for p in partials], len(row))[order]
        pairs = np.concatenate([np.empty((0, 2), np.int64), *(p.pairs for p in partials)])
        one, other = np.searchsorted(row, pairs).T
        same = (group[one] == group[other]) & (group[one] >= 0)
        piece = components(len(row), one[same], other[same])
        size = np.bincount(piece, minlength=len(row))
        islands = np.ones(len(row), dtype=bool)
        islands[piece[np.concatenate([one[~same], other[~same]])]] = False
        # Of pieces of one size, that of the first row is the main one.
        heads = np.flatnonzero((piece == np.arange(len(row))) & (group >= 0))
        ranked = heads[np.lexsort([heads, -size[heads], group[heads]])]
        main = np.zeros(len(row), dtype=bool)
        main[ranked[np.unique(group[ranked], return_index=True)[1]]] = True
        lesser = (group >= 0) & ~main[piece]
        if self.rule.allow_islands:
            lesser &= ~islands[piece]
        found = np.flatnonzero(lesser)
        violations = Violations.build(
            row[found],
            "apart from its group",
            shapes_of(self.context, row[found]),
            size[piece[found]],
        )
        return RuleOutcome(
            checked=len(row),
            violations=violations,
            message=summary(violations),
            notes=notes(sum((p.said for p in partials), Counter())),
        )


def _groups(tables: Sequence[pa.Table], count: int) -> NDArray[np.int64]:
    """(count,) numbers of equal rows of tables, -1 for rows with a null."""
    if not count:
        return np.empty(0, dtype=np.int64)
    whole = pa.concat_tables(tables)
    codes, absent = [], np.zeros(count, dtype=bool)
    for column in whole.columns:
        chunk = column.combine_chunks()
        chunk = chunk.combine_chunks() if isinstance(chunk, pa.ChunkedArray) else chunk
        absent |= np.asarray(chunk.is_null())
        indices = chunk.dictionary_encode(null_encoding="encode").indices
        codes.append(np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64))
    group = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return np.where(absent, -1, group).astype(np.int64)


__all__ = ["GroupsMustBeContiguousCheck"]

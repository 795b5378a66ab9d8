"""no_duplicate_geometries: each geometry occurs once.

It is a class: hashes of unchanged features are remembered by feature and joined to those of a
batch, and the conclusion reads the suspects again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit
from spatial_pipeline.check.geometry.finite import not_finite_xy
from spatial_pipeline.check.geometry.normal_form import digests, flat, signatures
from spatial_pipeline.check.geometry.unjudged import (
    EMPTY,
    NO_GEOMETRY,
    NOT_FINITE,
    NULL,
    THREE_D,
    UNDECODABLE,
    notes,
    require_geometry,
    undecodable,
)
from spatial_pipeline.check.geometry.vertex_distance import vertex_distance
from spatial_pipeline.check.incremental.feature_cache import (
    DEEP,
    PLAIN,
    UNKNOWN,
    Facts,
    Remembering,
)
from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.join.positions import Packed, packed, unpacked
from spatial_pipeline.contract.rules.validity import NoDuplicateGeometries
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

CHUNK = 65_536
"""Suspects that are looked up at once."""

QUERIES = 4_096
"""Bounding boxes whose neighbours are looked up at once."""

MAX_PAIRS = 1_000_000
"""Pairs within the tolerance after which the search ends."""


@dataclass(frozen=True)
class Footprints:
    """Hashes and bounds of the geometries of a batch, kept for the search for duplicates.

    Attributes:
        positions: (n,) staged positions.
        hashes: (n,) hash of type, size and bounds (without tolerance: of type and size only).
        bounds: (n, 4) bounds where there is a tolerance, else (0, 4).
        said: number of features for each note.

    """

    positions: Packed
    hashes: NDArray[np.uint64]
    bounds: NDArray[np.float64]
    said: Counter[str]


@evaluates(NoDuplicateGeometries)
class NoDuplicateGeometriesCheck(BatchCheck[NoDuplicateGeometries], Remembering):
    """Finds geometries with the same vertices, or with vertices within a tolerance of each other.

    Geometries are equal whatever the start and direction of their rings and lines and the order of
    their parts; a multi-geometry of one part equals that part. Z and M are ignored. Without a
    tolerance every feature beyond the first is reported together with the first. Being within a
    tolerance is not transitive: there every pair is reported, once. Values of ``with_columns`` are
    equal when both are null.
    """

    def map(self, batch: FeatureBatch) -> Footprints:
        """Hashes that tell most geometries of this batch apart.

        Raises:
            RuleError: the source has no geometry column.

        """
        if batch.wkb is None:
            raise RuleError(NO_GEOMETRY)
        geometry = batch.geometry
        lost = undecodable(batch, self.context.data.profile)
        null, empty = shapely.is_missing(geometry) & ~lost, shapely.is_empty(geometry)
        wild = not_finite_xy(geometry)
        judged = ~(lost | null | empty | wild)
        features = geometry[judged]
        bounds = shapely.bounds(features).reshape(-1, 4) + 0.0
        columns = signatures(features).view(np.uint64)
        exact = not self.rule.tolerance
        if exact:
            columns = np.concatenate([columns, bounds.view(np.uint64)], axis=1)
        return Footprints(
            positions=packed(batch.positions[judged]),
            hashes=_mixed(columns),
            bounds=np.empty((0, 4)) if exact else bounds,
            said=Counter(
                {
                    NULL: int(null.sum()),
                    EMPTY: int(empty.sum()),
                    UNDECODABLE: int(lost.sum()),
                    NOT_FINITE: int(wild.sum()),
                    THREE_D: int((shapely.has_z(features) | shapely.has_m(features)).sum()),
                }
            ),
        )

    def depends(self) -> tuple[str, ...] | None:
        """No other inputs; None with a tolerance, which needs more than one number per feature."""
        return None if self.rule.tolerance else ()

    def facts(self, batch: FeatureBatch, partial: Footprints) -> Facts:
        """Classes and hashes of the features that were checked."""
        judged = np.isin(batch.positions, unpacked(partial.positions))
        deep = shapely.has_z(batch.geometry) | shapely.has_m(batch.geometry)
        classes = np.where(deep, DEEP, PLAIN).astype(np.uint8)
        classes[~judged] = UNKNOWN
        hashes = np.zeros(len(batch), dtype=np.uint64)
        hashes[judged] = partial.hashes
        return Facts(classes, {"hash": hashes})

    def recalled(
        self, partial: Footprints, positions: NDArray[np.int64], facts: Facts
    ) -> Footprints:
        """Adds the cached hashes of unchanged features."""
        deep = int((facts.classes == DEEP).sum())
        return replace(
            partial,
            positions=np.concatenate([unpacked(partial.positions), positions]),
            hashes=np.concatenate(
                [partial.hashes, facts.numbers.get("hash", np.empty(0, np.uint64))]
            ),
            said=partial.said + Counter({THREE_D: deep}) if deep else partial.said,
        )

    def reduce(self, partials: Sequence[Footprints]) -> RuleOutcome:
        """Compares the geometries that have the same footprint.

        Raises:
            RuleError: the source has no geometry column.

        """
        require_geometry(self.context.data.profile)
        said = notes(sum((p.said for p in partials), Counter()))
        if not self.rule.tolerance:
            suspects = join_keys.suspects([(p.hashes, p.positions) for p in partials])
            return self._equal(suspects, sum(len(p.hashes) for p in partials), said)
        positions = np.concatenate(
            [np.empty(0, np.int64), *(unpacked(p.positions) for p in partials)]
        )
        hashes = np.concatenate([np.empty(0, np.uint64), *(p.hashes for p in partials)])
        bounds = np.concatenate([np.empty((0, 4)), *(p.bounds for p in partials)])
        return self._near(positions, hashes, bounds, said)

    @property
    def _data(self) -> VectorReader:
        return cast("VectorReader", self.context.data)

    def _equal(
        self, suspects: NDArray[np.int64], checked: int, said: tuple[str, ...]
    ) -> RuleOutcome:
        rows, marks, tables = [np.empty(0, np.int64)], [np.empty(0, "S16")], []
        last: FeatureBatch | None = None
        for batch in self._taken(suspects):
            last = batch
            rows.append(batch.rows)
            marks.append(digests(batch.geometry))
            tables.append(batch.table)
        row, group = np.concatenate(rows), np.unique(np.concatenate(marks), return_inverse=True)[1]
        if self.rule.with_columns and tables:
            values = join_keys.groups(pa.concat_tables(tables).select(list(self.rule.with_columns)))
            group = np.unique(np.stack([group, values]), axis=1, return_inverse=True)[1]
        order = np.lexsort((row, group))
        begins = np.append(True, np.diff(group[order]) != 0)[: len(order)]
        first = row[order][np.flatnonzero(begins)[np.cumsum(begins) - 1]]
        again, first = order[~begins], first[~begins]
        if last is not None and len(last) == len(suspects):
            shapes = [last.geometry[again]]
        else:
            # Read a second time, so that only duplicates are held in memory.
            shapes = [np.empty(0, dtype=object)]
            shapes += [b.geometry for b in self._taken(suspects[again])]
        sources = len(np.unique(first))
        return RuleOutcome(
            checked=checked,
            violations=Violations.build(
                np.stack([first, row[again]], axis=1),
                "duplicate geometry",
                np.concatenate(shapes),
                measure=0.0,
                unit=length_unit(self._data.profile.pyproj_crs),
            ),
            message=f"{len(again)} duplicate{'' if len(again) == 1 else 's'} of {sources} "
            f"geometr{'y' if sources == 1 else 'ies'}"
            if len(again)
            else "",
            notes=said,
        )

    def _near(
        self,
        positions: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        bounds: NDArray[np.float64],
        said: tuple[str, ...],
    ) -> RuleOutcome:
        crs = self._data.profile.pyproj_crs
        if in_degrees(crs):
            said = (*said, "the tolerance is in degrees")
        parts: list[Violations] = []
        found, capped = 0, False
        for i, j in candidates(hashes, bounds, self.rule.tolerance):
            self.context.cancelled()
            for start in range(0, len(i), CHUNK):
                part = self._pairs(
                    positions[i[start : start + CHUNK]], positions[j[start : start + CHUNK]]
                )
                parts.append(part)
                found += len(part)
            if found >= MAX_PAIRS:
                capped = True
                said = (*said, f"the search ended after {found} pairs")
                break
        return RuleOutcome(
            checked=len(positions),
            violations=Violations.concat(parts),
            passed=False if capped else None,
            value=found if capped else None,
            message=f"{found} pair{'' if found == 1 else 's'} of geometries within "
            f"{self.rule.tolerance:g} {length_unit(crs)}".rstrip()
            if found
            else "",
            notes=said,
        )

    def _pairs(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Violations:
        """Violations of the pairs of staged positions that are within the tolerance."""
        if not len(a):
            return Violations.none()
        positions, index = np.unique(np.concatenate([a, b]), return_inverse=True)
        i, j = index[: len(a)], index[len(a) :]
        names = list(self.rule.with_columns)
        batch = self._data.take(positions, names)
        if names:
            values = join_keys.groups(batch.table.select(names))
            same = values[i] == values[j]
            i, j = i[same], j[same]
        geometry = flat(batch.geometry)
        distance = np.empty(len(i))
        point = shapely.get_type_id(geometry[i]) == 0
        distance[point] = shapely.distance(geometry[i[point]], geometry[j[point]])
        for k in np.flatnonzero(~point):
            self.context.cancelled()
            distance[k] = vertex_distance(geometry[i[k]], geometry[j[k]], self.rule.tolerance)
        near = distance <= self.rule.tolerance
        rows = np.sort(np.stack([batch.rows[i[near]], batch.rows[j[near]]], axis=1), axis=1)
        later = np.where(batch.rows[i[near]] > batch.rows[j[near]], i[near], j[near])
        return Violations.build(
            rows,
            "duplicate geometry within the tolerance",
            batch.geometry[later],
            measure=distance[near],
            unit=length_unit(self._data.profile.pyproj_crs),
        )

    def _taken(self, positions: NDArray[np.int64]) -> Iterator[FeatureBatch]:
        for start in range(0, len(positions), CHUNK):
            self.context.cancelled()
            yield self._data.take(positions[start : start + CHUNK], self.rule.with_columns)


def candidates(
    hashes: NDArray[np.uint64], bounds: NDArray[np.float64], tolerance: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs i < j of the same hash whose bounds differ by no more than the tolerance.

    Vertices that move by some distance move the bounds by no more than that.
    """
    if not len(bounds):
        return
    slack = tolerance * (1 + 1e-9) + 4 * np.spacing(np.abs(bounds).max())
    tree = shapely.STRtree(shapely.points(bounds[:, :2]))
    for start in range(0, len(bounds), QUERIES):
        corner = bounds[start : start + QUERIES, :2]
        i, j = tree.query(shapely.box(*(corner - slack).T, *(corner + slack).T))
        i = i + start
        keep = (i < j) & (hashes[i] == hashes[j])
        i, j = i[keep], j[keep]
        near = (np.abs(bounds[i] - bounds[j]) <= slack).all(axis=1)
        yield i[near], j[near]


def _mixed(columns: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(n,) hash of each row of (n, k) integers: the finaliser of SplitMix64 over the columns."""
    out = np.zeros(len(columns), dtype=np.uint64)
    for column in columns.T:
        out = (out ^ column) + np.uint64(0x9E3779B97F4A7C15)
        out = (out ^ (out >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        out = (out ^ (out >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out ^= out >> np.uint64(31)
    return out

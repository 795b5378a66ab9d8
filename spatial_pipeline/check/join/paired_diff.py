"""Compares features of two datasets pair by pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import operation_note, transformed
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.geometry.unjudged import UNDECODABLE, undecodable
from spatial_pipeline.check.join.attribute_difference import common_type, equal, texts
from spatial_pipeline.check.join.geometry_difference import (
    GeometryDifference,
    Mode,
    difference,
    drawn,
)
from spatial_pipeline.model.crs.comparison import same
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader

CHUNK = 16_384
"""Pairs compared at once: about a row group of a staged file."""


@dataclass(frozen=True)
class PairedComparison:
    """The inputs and the mode of a comparison of paired features.

    Attributes:
        here: the dataset under check.
        there: the other dataset.
        columns: (name here, name there) of the attributes to compare; their types have a common
            type.
        mode: comparison mode of geometries.
        tolerance: accepted distance of geometries, CRS units of the dataset under check.
        attribute_tolerance: accepted difference of numbers.
        note: the transformation that brings the other dataset into the CRS of this one, empty when
            none is needed.
        placed: False when places in the other dataset are not known in the CRS of this one.
        cancelled: raises when the time is up.

    """

    here: VectorReader
    there: VectorReader
    columns: tuple[tuple[str, str], ...]
    mode: Mode | Literal["ignore"]
    tolerance: float = 0.0
    attribute_tolerance: float = 0.0
    note: str = ""
    placed: bool = True
    cancelled: Callable[[], None] = field(default=lambda: None)

    def theirs(self, batch: FeatureBatch) -> NDArray[np.object_]:
        """Geometries of the other dataset in the CRS of this one; None without a transformation."""
        if not self.placed:
            return np.full(len(batch), None, dtype=object)
        if not self.note:
            return batch.geometry
        here, there = self.here.profile.pyproj_crs, self.there.profile.pyproj_crs
        return transformed(batch.geometry, there, here)[0]


@dataclass(frozen=True)
class Differences:
    """Differences of n pairs of features.

    Attributes:
        here: (n,) positions in the dataset under check.
        there: (n,) positions in the other one.
        rows: (n,) source rows of the dataset under check.
        geometry: differences of their geometries.
        drawn: (n,) the difference of the geometries where they differ, a point on the feature where
            only attributes differ, else None.
        boxes: (n, 4) bounds of the other geometries where they differ, in the CRS of the dataset
            under check, else NaN.
        columns: (n,) bool a column, by its name here: True where its values differ.
        values: the differing values of each column, in order, as ``here → there`` reads.
        said: number of pairs for each note.

    """

    here: NDArray[np.int64]
    there: NDArray[np.int64]
    rows: NDArray[np.int64]
    geometry: GeometryDifference
    drawn: NDArray[np.object_]
    boxes: NDArray[np.float64]
    columns: dict[str, NDArray[np.bool_]]
    values: dict[str, list[tuple[str, str]]]
    said: Counter[str]


def transformation(here: pyproj.CRS | None, there: pyproj.CRS | None) -> str:
    """The note of the transformation from ``there`` to ``here``, empty when none is needed.

    Raises:
        RuleError: there is no transformation, or only one of the two datasets has a CRS.

    """
    if same(here, there):
        return ""
    return operation_note(there, here)


def column_types(data: VectorReader, names: tuple[str, ...]) -> dict[str, pa.DataType]:
    """Arrow types of columns of a dataset."""
    empty = data.take(np.empty(0, dtype=np.int64), names, geometry=False).table
    return {name: empty.schema.field(name).type for name in names}


def incomparable(comparison: PairedComparison) -> dict[str, tuple[pa.DataType, pa.DataType]]:
    """The compared columns, by their names here, whose types have no common type."""
    ours = column_types(comparison.here, tuple(a for a, _ in comparison.columns))
    theirs = column_types(comparison.there, tuple(b for _, b in comparison.columns))
    pairs = {a: (ours[a], theirs[b]) for a, b in comparison.columns}
    return {name: kinds for name, kinds in pairs.items() if common_type(*kinds) is None}


def differences(
    comparison: PairedComparison, here: NDArray[np.int64], there: NDArray[np.int64]
) -> Differences:
    """Compares n features of one dataset with n features of the other one.

    Args:
        comparison: inputs and mode of the comparison.
        here: (n,) staged positions.
        there: (n,) staged positions of their partners.

    """
    comparison.cancelled()
    ours = comparison.here.take(here, tuple(dict.fromkeys(a for a, _ in comparison.columns)))
    # Geometry of our side also gives the position of an edited feature.
    theirs = comparison.there.take(
        there,
        tuple(dict.fromkeys(b for _, b in comparison.columns)),
        geometry=comparison.mode != "ignore",
    )
    columns: dict[str, NDArray[np.bool_]] = {}
    values: dict[str, list[tuple[str, str]]] = {}
    for name, other_name in comparison.columns:
        a, b = ours.table.column(name), theirs.table.column(other_name)
        unlike = ~equal(a, b, comparison.attribute_tolerance)
        if unlike.any():
            chosen = pa.array(np.flatnonzero(unlike))
            columns[name] = unlike
            values[name] = list(zip(texts(a.take(chosen)), texts(b.take(chosen)), strict=True))
    out = Differences(
        here=here,
        there=there,
        rows=ours.rows,
        geometry=GeometryDifference.none(len(here)),
        drawn=np.full(len(here), None, dtype=object),
        boxes=np.full((len(here), 4), np.nan),
        columns=columns,
        values=values,
        said=Counter(),
    )
    if comparison.mode != "ignore" and ours.wkb is not None and theirs.wkb is not None:
        _geometries(out, comparison, comparison.mode, ours, theirs)
    if columns and ours.wkb is not None:
        edited = np.any(list(columns.values()), axis=0) & ~out.geometry.differs
        out.drawn[edited] = places(ours.take(edited).geometry)
    return out


def _geometries(
    out: Differences,
    comparison: PairedComparison,
    mode: Mode,
    ours: FeatureBatch,
    theirs: FeatureBatch,
) -> None:
    """Fills in how the geometries differ; those of the same bytes are not decoded."""
    wkb, other_wkb = cast("pa.Array", ours.wkb), cast("pa.Array", theirs.wkb)
    same = pc.and_(wkb.is_null(), other_wkb.is_null()).to_numpy(zero_copy_only=False)
    if not comparison.note:
        alike = pc.fill_null(pc.equal(wkb, other_wkb.cast(wkb.type)), False)
        same = same | alike.to_numpy(zero_copy_only=False)
    left = np.flatnonzero(~same)
    out.said[UNDECODABLE] = _lost(comparison, ours, theirs, np.flatnonzero(same))
    a, b = ours.take(left), theirs.take(left)
    mine, other = a.geometry, comparison.theirs(b)
    found = difference(mine, other, mode, comparison.tolerance, comparison.cancelled)
    # Geometries that are present but do not decode can only be compared by their bytes.
    odd = undecodable(a, comparison.here.profile) | undecodable(b, comparison.there.profile)
    found.differs[odd], found.kind[odd] = True, "does not decode, other bytes"
    found.distance[odd] = np.nan
    geometry = out.geometry
    geometry.differs[left], geometry.kind[left] = found.differs, found.kind
    geometry.distance[left] = found.distance
    unlike = np.flatnonzero(found.differs)
    with np.errstate(all="ignore"):
        out.drawn[left[unlike]] = drawn(mine[unlike], other[unlike])
        out.boxes[left[unlike]] = shapely.bounds(other[unlike]).reshape(-1, 4)
    out.said.update(found.said)


def _lost(
    comparison: PairedComparison, ours: FeatureBatch, theirs: FeatureBatch, same: NDArray[np.int64]
) -> int:
    """Number of equal-looking pairs with a geometry that could not be staged."""
    lost = np.zeros(len(same), dtype=bool)
    for batch, data in ((ours, comparison.here), (theirs, comparison.there)):
        rows = data.profile.undecodable
        if rows:
            lost |= np.isin(batch.rows[same], np.asarray(rows, dtype=np.int64))
    return int(lost.sum())


__all__ = [
    "CHUNK",
    "Differences",
    "PairedComparison",
    "column_types",
    "differences",
    "incomparable",
    "transformation",
]

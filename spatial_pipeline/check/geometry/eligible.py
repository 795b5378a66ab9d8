"""Eligibility of features for topology rules: the parts to check, and notes on the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.star_shaped import turning
from spatial_pipeline.check.geometry.unjudged import undecodable
from spatial_pipeline.check.geometry.wkb_rings import plain_rings
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.result import key_text

if TYPE_CHECKING:
    from spatial_pipeline.check.base import Context

COLLECTION = 7
POLYGON, LINE, POINT = 2, 1, 0
FEW = 8
"""Features below which setting up arrays takes longer than GEOS takes to check them."""
AT_ONCE = 2048
"""Features whose vertices fit the processor's cache."""
NAMED = 5
"""Features of a kind that a note names."""

_KINDS = (
    ("null geometry", "null geometries", "left out"),
    ("geometry that does not decode", "geometries that do not decode", "left out"),
    ("invalid geometry", "invalid geometries", "left out"),
    ("empty geometry", "empty geometries", "left out"),
    ("point feature", "point features", "not judged"),
    ("line feature", "line features", "not judged"),
    ("polygon feature", "polygon features", "not judged"),
    ("geometry collection", "geometry collections", "judged by parts"),
    ("3D geometry", "3D geometries", "judged in the XY plane"),
)


@dataclass(frozen=True)
class Excluded:
    """Features to mention in a note.

    Attributes:
        rows: (n,) int64 source rows.
        kinds: (n,) int8 why: an index into the kinds of this module.

    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.int8]

    @classmethod
    def concat(cls, parts: Iterable[Excluded]) -> Excluded:
        """All of them, each once, in the order of source rows."""
        parts = [p for p in parts if len(p.rows)]
        if not parts:
            return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int8))
        both = np.unique(
            np.stack(
                [
                    np.concatenate([p.kinds for p in parts]).astype(np.int64),
                    np.concatenate([p.rows for p in parts]),
                ],
                axis=1,
            ),
            axis=0,
        )
        return cls(both[:, 1], both[:, 0].astype(np.int8))


@dataclass(frozen=True)
class EligibleParts:
    """The eligible parts of one dimension.

    Attributes:
        geometry: (m,) (multi)polygons, (multi)lines or (multi)points.
        index: (m,) ascending indices of their features in the batch.

    """

    geometry: NDArray[np.object_]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)


def judged(
    batch: FeatureBatch, profile: Profile, dimensions: Sequence[int], owned: int | None = None
) -> tuple[list[EligibleParts], Excluded]:
    """The valid parts of these dimensions, and the features left out.

    Geometry collections are checked by their parts of these dimensions; polygons of one collection
    that share an area are united.

    Args:
        batch: the features.
        profile: profile of their dataset.
        dimensions: topological dimensions that the rule checks.
        owned: only the first ``owned`` features are noted; None for all.

    Returns:
        One layer per dimension, in the order given, and the features left out.

    """
    if not len(batch):
        # A piece mostly has no features other than star-shaped ones.
        nothing = EligibleParts(np.empty(0, dtype=object), np.empty(0, dtype=np.int64))
        return [nothing for _ in dimensions], Excluded.concat([])
    geometry = batch.geometry
    _know_validity(batch)
    owned = len(batch) if owned is None else owned
    missing = shapely.is_missing(geometry)
    lost = undecodable(batch, profile)
    dimension = _dimensions(geometry)
    collection = batch.valid & (shapely.get_type_id(geometry) == COLLECTION) & (dimension >= 0)
    single = batch.valid & ~collection
    seen = np.zeros(len(batch), dtype=bool)
    layers = []
    collections = np.flatnonzero(collection)
    for wanted in dimensions:
        index = np.flatnonzero(single & (dimension == wanted))
        parts = geometry[index]
        if len(collections):
            inner = of_dimension(geometry[collections], wanted)
            held = ~shapely.is_missing(inner)
            index = np.concatenate([index, collections[held]])
            parts = np.concatenate([parts, inner[held]])
            order = np.argsort(index)
            index, parts = index[order], parts[order]
        seen[index] = True
        layers.append(EligibleParts(parts, index))
    told = [
        missing & ~lost,
        lost,
        ~missing & ~batch.valid,
        batch.valid & (dimension < 0),
        *(batch.valid & ~seen & (dimension == d) for d in (POINT, LINE, POLYGON)),
        collection & seen,
        seen & shapely.has_z(geometry),
    ]
    kinds, where = np.nonzero(np.stack(told)[:, :owned])
    return layers, Excluded(batch.rows[where], kinds.astype(np.int8))


def _know_validity(batch: FeatureBatch) -> None:
    """Stores validity in the batch; GEOS checks only features that are not star-shaped."""
    if batch.wkb is None or "valid" in batch.__dict__ or len(batch) < FEW:
        return
    valid = np.zeros(len(batch), dtype=bool)
    for begin in range(0, len(batch), AT_ONCE):
        rings = plain_rings(batch.wkb.slice(begin, AT_ONCE))
        valid[begin + rings.polygon[turning(rings) != 0]] = True
    rest = np.flatnonzero(~valid)
    valid[rest] = shapely.is_valid(batch.geometry[rest])
    # The dataclass is frozen: derived values are stored as ``cached_property`` would.
    batch.__dict__["valid"] = valid


def of_dimension(geometry: NDArray[np.object_], dimension: int) -> NDArray[np.object_]:
    """(n,) the parts of one topological dimension of each geometry, None where it has none.

    Args:
        geometry: (n,) geometries of any type, or None.
        dimension: 0, 1 or 2.

    """
    out = np.full(len(geometry), None, dtype=object)
    types = shapely.get_type_id(geometry)
    plain = (types != COLLECTION) & (_dimensions(geometry) == dimension)
    out[plain] = geometry[plain]
    mixed = np.flatnonzero(types == COLLECTION)
    if not len(mixed):
        return out
    parts, index = geometry[mixed], mixed
    for _ in range(100):
        nested = shapely.get_type_id(parts) >= 4
        if not nested.any():
            break
        inner, inner_index = shapely.get_parts(parts[nested], return_index=True)
        parts = np.concatenate([parts[~nested], inner])
        index = np.concatenate([index[~nested], index[nested][inner_index]])
    held = _dimensions(parts) == dimension
    parts, index = parts[held], index[held]
    if not len(parts):
        return out
    order = np.argsort(index, kind="stable")
    targets, group = np.unique(index[order], return_inverse=True)
    make = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)[dimension]
    merged = make(parts[order], indices=group)
    crossing = ~shapely.is_valid(merged)
    merged[crossing] = shapely.union_all(merged[crossing][:, np.newaxis], axis=1)
    out[targets] = merged
    return out


def _dimensions(geometry: NDArray[np.object_]) -> NDArray[np.int64]:
    """(n,) topological dimension, -1 for missing and empty geometries."""
    return np.where(shapely.is_empty(geometry), -1, shapely.get_dimensions(geometry))


def notes(context: Context, left_out: Excluded, whose: str = "") -> tuple[str, ...]:
    """One sentence for each kind of excluded features, naming the first of them.

    Args:
        context: context of the check; features are named by the contract's key where they can be.
        left_out: the features.
        whose: " of …" when they belong to another dataset.

    """
    sentences = []
    for kind in np.unique(left_out.kinds):
        rows = left_out.rows[left_out.kinds == kind]
        one, many, done = _KINDS[kind]
        names = _names(context, rows[:NAMED], whose) + (", …" if len(rows) > NAMED else "")
        sentences.append(f"{len(rows)} {one if len(rows) == 1 else many}{whose} {done} ({names})")
    return tuple(sentences)


def _names(context: Context, rows: NDArray[np.int64], whose: str) -> str:
    """The features of these rows by their keys, as text."""
    profile = context.data.profile
    known = {c.name for c in profile.columns} if isinstance(profile, VectorProfile) else set()
    if whose or not context.key or not set(context.key) <= known:
        return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows.tolist()))}"
    data = cast("VectorReader", context.data)
    batch = data.take(data.rows_to_positions(rows), context.key, geometry=False)
    columns = [json_values(batch.table.column(k)) for k in context.key]
    return ", ".join(key_text(k) for k in zip(*columns, strict=True))

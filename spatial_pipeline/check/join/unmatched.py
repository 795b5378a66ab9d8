"""Classification of features without a partner: new, gone, split, merged, or undetermined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join.join_keys import labels
from spatial_pipeline.check.join.key_join import Join, Side
from spatial_pipeline.check.join.paired_diff import CHUNK, PairedComparison
from spatial_pipeline.check.join.split_merge import families
from spatial_pipeline.model.violations import Violations

MAX_RELATED = 100_000
"""Features of either dataset up to which splits and merges are searched."""

SHOWN = 5
"""Features that a reason names."""

Keys = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Unpaired:
    """Classified features without a partner.

    Attributes:
        checked: their number in both datasets.
        violations: one violation for each, or for each family of them.
        counts: number of violations of each class.
        notes: remarks.

    """

    checked: int
    violations: Violations
    counts: Counter[str]
    notes: tuple[str, ...]


def unpaired(
    comparison: PairedComparison,
    here: Side,
    there: Side,
    join: Join,
    moved: NDArray[np.int64],
    boxes: NDArray[np.float64],
) -> Unpaired:
    """Classifies the features that :class:`Join` leaves without a partner.

    Args:
        comparison: inputs and mode of the comparison.
        here: the dataset under check.
        there: the other one.
        join: matching features.
        moved: (k, 2) positions of pairs whose geometries differ: one of them may be the rest of a
            feature that was split, or the result of a merge.
        boxes: (k, 4) bounds of their geometries in the other dataset, in the CRS of this one.

    """
    new, gone = join.new[here.judged[join.new]], join.gone[there.judged[join.gone]]
    shapes = _read(comparison, new, here=True), _read(comparison, gone, here=False)
    with np.errstate(all="ignore"):
        related, said = _families(comparison, moved, boxes, new, gone, shapes)
    still_new = ~np.isin(new, [y for r in related for y in r.young])
    still_gone = ~np.isin(gone, [o for r in related for o in r.old])
    unkeyed = Violations.concat(
        _of_key(comparison, side, join, is_here=side is here) for side in (here, there)
    )
    if join.ambiguous:
        said.append(f"{join.ambiguous} not compared: their key is not unique in the other dataset")
    counts = Counter("merged" if r.merged else "split" for r in related)
    counts.update(new=int(still_new.sum()), gone=int(still_gone.sum()))
    repeated = sum(
        int(s.judged[p].sum()) for s, p in zip((here, there), join.repeated, strict=True)
    )
    counts.update(repeated=repeated, null=len(unkeyed) - repeated)
    violations = [
        Violations.build(here.rows(new[still_new]), "new", shapes[0][still_new]),
        _gone(there, gone[still_gone], shapes[1][still_gone]),
        *(_related(here, there, r) for r in related),
        unkeyed,
    ]
    return Unpaired(
        checked=len(new) + len(gone) + len(unkeyed),
        violations=Violations.concat(violations),
        counts=counts,
        notes=tuple(said),
    )


@dataclass(frozen=True)
class _Relation:
    """Old features and the new ones that replace them, by their positions."""

    old: tuple[int, ...]
    young: tuple[int, ...]
    shape: Any
    merged: bool


def _gone(there: Side, positions: NDArray[np.int64], shapes: NDArray[np.object_]) -> Violations:
    rows = there.rows(positions).tolist()
    told = "gone" if there.key else [f"gone: row {r} of the other" for r in rows]
    return _only_there(there, positions, told, shapes)


def _related(here: Side, there: Side, relation: _Relation) -> Violations:
    positions = [
        _by_row(side, np.array(p)) for side, p in ((there, relation.old), (here, relation.young))
    ]
    old, young = there.labels(positions[0]), here.labels(positions[1])
    told = f"{_told(there, old)} → {_told(here, young)}"
    return Violations.build(
        here.rows(positions[1])[np.newaxis, :],
        f"{'merged' if relation.merged else 'split'}: {told}",
        [relation.shape],
        keys=[(*old, *young)],
    )


def _by_row(side: Side, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return positions[np.argsort(side.rows(positions), kind="stable")]


def _of_key(comparison: PairedComparison, side: Side, join: Join, *, is_here: bool) -> Violations:
    """Features of one dataset that their key does not identify."""
    where = "" if is_here else " in the other"
    repeated, times = join.repeated[not is_here], join.times[not is_here]
    nulls = join.nulls[not is_here]
    positions = np.concatenate([repeated, nulls])
    reasons = np.array(
        [f"key occurs {n} times{where}" for n in times.tolist()]
        + [f"null in the key{where}"] * len(nulls),
        dtype=object,
    )
    judged = side.judged[positions]
    positions, reasons = positions[judged], reasons[judged]
    points = places(_read(comparison, positions, here=is_here))
    if is_here:
        return Violations.build(side.rows(positions), reasons, points)
    return _only_there(side, positions, reasons, points)


def _families(
    comparison: PairedComparison,
    moved: NDArray[np.int64],
    boxes: NDArray[np.float64],
    new: NDArray[np.int64],
    gone: NDArray[np.int64],
    shapes: tuple[NDArray[np.object_], NDArray[np.object_]],
) -> tuple[list[_Relation], list[str]]:
    """Splits and merges, and remarks about the search for them."""
    if comparison.here.profile.geometry_column is None or not (len(new) or len(gone)):
        return [], []
    lonely_shapes = np.concatenate(shapes)
    extended = shapely.get_dimensions(lonely_shapes) > 0
    invalid = int((extended & ~shapely.is_valid(lonely_shapes)).sum())
    said = [f"not looked at for splits and merges because invalid: {invalid}"] if invalid else []
    near = _near(comparison, moved, boxes, shapes)
    young = np.concatenate([new, moved[near, 0]])
    old = np.concatenate([gone, moved[near, 1]])
    if max(len(young), len(old)) > MAX_RELATED:
        return [], [f"splits and merges not looked for among more than {MAX_RELATED} features"]
    young_shapes = np.concatenate([shapes[0], _read(comparison, moved[near, 0], here=True)])
    old_shapes = np.concatenate([shapes[1], _read(comparison, moved[near, 1], here=False)])
    found: list[_Relation] = []
    free = np.ones(len(old), dtype=bool), np.ones(len(young), dtype=bool)
    for merged in (False, True):
        wholes, parts = (young_shapes, old_shapes) if merged else (old_shapes, young_shapes)
        for family in families(wholes, parts, comparison.cancelled):
            whole, parts_of = [family.whole], list(family.parts)
            lonely = len(gone) if merged else len(new)
            # Unless one of the parts has no partner, features took each other's place.
            fits = free[merged][whole].all() and free[not merged][parts_of].all()
            if fits and min(parts_of) < lonely:
                free[merged][whole] = free[not merged][parts_of] = False
                a, b = (parts_of, whole) if merged else (whole, parts_of)
                found.append(
                    _Relation(
                        tuple(old[a].tolist()),
                        tuple(young[b].tolist()),
                        wholes[family.whole],
                        merged,
                    )
                )
    return found, said


def _near(
    comparison: PairedComparison,
    moved: NDArray[np.int64],
    boxes: NDArray[np.float64],
    shapes: tuple[NDArray[np.object_], NDArray[np.object_]],
) -> NDArray[np.int64]:
    """Moved pairs whose box, here or there, meets that of a feature without a partner."""
    lonely = np.concatenate(shapes)
    if not len(moved) or not len(lonely):
        return np.empty(0, dtype=np.int64)
    tree = shapely.STRtree(lonely)
    ours = comparison.here.feature_bounds()[moved[:, 0]]
    hits = []
    for both in (ours, boxes):
        finite = np.flatnonzero(np.isfinite(both).all(axis=1))
        hits.append(finite[tree.query(shapely.box(*both[finite].T))[0]])
    return np.unique(np.concatenate(hits))


def _read(
    comparison: PairedComparison, positions: NDArray[np.int64], *, here: bool
) -> NDArray[np.object_]:
    """Geometries in the CRS of the dataset under check."""
    out = np.full(len(positions), None, dtype=object)
    data = comparison.here if here else comparison.there
    if data.profile.geometry_column is None:
        return out
    for start in range(0, len(positions), CHUNK):
        comparison.cancelled()
        piece = slice(start, start + CHUNK)
        batch = data.take(positions[piece], ())
        out[piece] = batch.geometry if here else comparison.theirs(batch)
    return out


def _only_there(
    side: Side, positions: NDArray[np.int64], reasons: Any, geometry: Any
) -> Violations:
    """Violations for features that only the other dataset has."""
    return Violations.build(
        np.full(len(positions), -1),
        reasons,
        geometry,
        keys=[(key,) for key in side.labels(positions)],
    )


def _told(side: Side, keys: Sequence[tuple[Any, ...]]) -> str:
    told = [labels(k) for k in keys[:SHOWN]]
    row = "" if side.key else "row " if len(keys) == 1 else "rows "
    return row + ", ".join(told if len(keys) <= SHOWN else [*told, f"and {len(keys) - SHOWN} more"])


__all__ = ["Unpaired", "unpaired"]

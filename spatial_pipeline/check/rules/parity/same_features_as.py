"""same_features_as: equal features in another format, store or delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    ComparedLayers,
    RuleOutcome,
    Violations,
    comparison_rule,
)
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit
from spatial_pipeline.check.geometry.unjudged import notes
from spatial_pipeline.check.join.geometry_difference import Mode
from spatial_pipeline.check.join.geometry_join import by_geometry
from spatial_pipeline.check.join.key_join import Join, Side, by_key
from spatial_pipeline.check.join.paired_diff import (
    CHUNK,
    PairedComparison,
    differences,
    incomparable,
    transformation,
)
from spatial_pipeline.check.join.unmatched import Unpaired, unpaired
from spatial_pipeline.contract.database_url import redacted
from spatial_pipeline.contract.rules import OtherDataset
from spatial_pipeline.contract.rules.parity import SameFeaturesAs
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same
from spatial_pipeline.model.readers import VectorReader


@dataclass(frozen=True)
class Joined:
    """One of the other datasets and its join, before the pairs are compared.

    Attributes:
        comparison: inputs and mode of the comparison.
        here: the dataset under check.
        there: the other one.
        join: matching features.
        violations: columns that cannot be compared.
        said: number of features for each note.
        notes: other remarks.

    """

    comparison: PairedComparison
    here: Side
    there: Side
    join: Join
    violations: Violations
    said: Counter[str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """Results of comparing some pairs.

    Attributes:
        checked: pairs compared.
        violations: those of pairs that differ.
        counts: number of moved and of edited pairs.
        columns: number of differing values per column.
        largest: largest distance of geometries, NaN without one.
        moved: (k, 2) positions of pairs whose geometries differ.
        boxes: (k, 4) bounds of their geometries in the other dataset, in the CRS of this one.
        said: number of pairs for each note.

    """

    checked: int
    violations: Violations
    counts: Counter[str]
    columns: Counter[str]
    largest: float
    moved: NDArray[np.int64]
    boxes: NDArray[np.float64]
    said: Counter[str]


def conclude(
    rule: SameFeaturesAs, layers: ComparedLayers, partials: Sequence[Joined | Compared]
) -> RuleOutcome:
    """Everything that differs, from all other datasets."""
    groups: list[tuple[Joined, list[Compared]]] = []
    for piece in partials:
        if isinstance(piece, Joined):
            groups.append((piece, []))
        else:
            groups[-1][1].append(piece)
    several = len(groups) > 1
    checked, violations, messages = 0, [], []
    said: dict[str, None] = {}
    for name, (joined, pieces) in zip(_names(rule, layers), groups, strict=True):
        rest = unpaired(
            joined.comparison,
            joined.here,
            joined.there,
            joined.join,
            np.concatenate([np.empty((0, 2), np.int64), *(p.moved for p in pieces)]),
            np.concatenate([np.empty((0, 4)), *(p.boxes for p in pieces)]),
        )
        found = Violations.concat(
            [joined.violations, *(p.violations for p in pieces), rest.violations]
        )
        if several:
            found.reasons[:] = [f"{r} (compared with {name})" for r in found.reasons]
        violations.append(found)
        n = sum(p.checked for p in pieces) + rest.checked
        checked += n
        message = _message(n, pieces, rest, joined)
        messages.append(f"{name}: {message}" if several else message)
        counted = sum((p.said for p in pieces), joined.said)
        for note in (*joined.notes, *notes(counted), *rest.notes):
            said[f"{name}: {note}" if several else note] = None
    return RuleOutcome(
        checked=checked,
        violations=Violations.concat(violations),
        message="; ".join(messages),
        notes=tuple(said),
    )


@comparison_rule(conclude)
def plan(rule: SameFeaturesAs, layers: ComparedLayers) -> Iterable[Callable[[], Any]]:
    """The join of each other dataset, then its pairs in chunks.

    Every difference is a violation of one class: a feature is new (only here) or gone (only in the
    other dataset), split or merged (it overlaps several of those), moved (another geometry) or
    edited (other attributes), or both. With a ``where``, a feature is compared when the condition
    holds in either dataset. Features whose key is null or not unique are violations of their own
    and are not compared.

    Raises:
        RuleError: the comparison is impossible.

    """
    calls: list[Callable[[], Any]] = []
    for other in layers.others:
        joined = _joined(rule, layers, other)
        calls.append(partial(_itself, joined))
        i, j = joined.join.here, joined.join.there
        if not (joined.here.judged.all() or joined.there.judged.all()):
            judged = joined.here.judged[i] | joined.there.judged[j]
            i, j = i[judged], j[judged]
        calls += [
            partial(_compared, joined.comparison, i[s : s + CHUNK], j[s : s + CHUNK])
            for s in range(0, len(i), CHUNK)
        ]
    return calls


def _names(rule: SameFeaturesAs, layers: ComparedLayers) -> list[str]:
    """The other datasets as the contract names them."""
    given = [o.dataset if isinstance(o, OtherDataset) else redacted(o.uri) for o in rule.others()]
    return given if len(given) == len(layers.others) else [o.profile.uri for o in layers.others]


def _joined(rule: SameFeaturesAs, layers: ComparedLayers, other: VectorReader) -> Joined:
    comparison, said = _comparison(rule, layers, other)
    bad = incomparable(comparison)
    columns = tuple(c for c in comparison.columns if c[0] not in bad)
    comparison = replace(comparison, columns=columns)
    reasons = [f"column {c} is {a} here and {b} in the other" for c, (a, b) in bad.items()]
    key = rule.key or layers.key
    sides = [Side.of(d, key, rule.where, layers.cancelled) for d in (layers.here, other)]
    counted: Counter[str] = Counter()
    if key:
        join = by_key(*sides)
    else:
        join, counted = by_geometry(comparison)
        # A join by geometry has already compared the geometries.
        comparison = replace(comparison, mode="ignore")
    return Joined(
        comparison=comparison,
        here=sides[0],
        there=sides[1],
        join=join,
        violations=Violations.build(np.full(len(reasons), -1), reasons),
        said=counted,
        notes=said,
    )


def _comparison(
    rule: SameFeaturesAs, layers: ComparedLayers, other: VectorReader
) -> tuple[PairedComparison, tuple[str, ...]]:
    """The comparison with one of the others, and remarks about it."""
    mode = _mode(rule, layers, other)
    columns, said = _columns(rule, layers, other)
    crs, other_crs = layers.here.profile.pyproj_crs, other.profile.pyproj_crs
    note, placed = "", True
    if mode == "ignore":
        placed = same(crs, other_crs)
    else:
        note = transformation(crs, other_crs)
        if note:
            said.append(note)
            if mode != "tolerance":
                said.append("transformed coordinates are rounded: give a tolerance")
        if rule.tolerance and in_degrees(crs):
            said.append("the tolerance is in degrees")
    comparison = PairedComparison(
        here=layers.here,
        there=other,
        columns=columns,
        mode=mode,
        tolerance=rule.tolerance,
        attribute_tolerance=rule.attribute_tolerance,
        note=note,
        placed=placed,
        cancelled=layers.cancelled,
    )
    return comparison, tuple(said)


def _mode(rule: SameFeaturesAs, layers: ComparedLayers, other: VectorReader) -> Mode | Any:
    mode = rule.geometry
    if rule.tolerance and mode != "ignore":
        mode = "tolerance"
    keyed = bool(rule.key or layers.key)
    with_geometry = [d.profile.geometry_column is not None for d in (layers.here, other)]
    if mode == "ignore" or not any(with_geometry):
        if not keyed:
            msg = "needs a key: without one, features are joined by their geometry"
            raise RuleError(msg)
        return "ignore"
    if not all(with_geometry):
        lacking = (layers.here, other)[with_geometry.index(False)].profile.uri
        msg = f"needs geometry: {lacking} has no geometry column (geometry: ignore)"
        raise RuleError(msg)
    return mode


def _columns(
    rule: SameFeaturesAs, layers: ComparedLayers, other: VectorReader
) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """The attributes to compare, and remarks about the others."""
    ours, theirs = ([c.name for c in d.profile.columns] for d in (layers.here, other))
    key = rule.key or layers.key
    if rule.columns_ is not None:
        missing = [c for c in rule.columns_ if c not in theirs]
        if missing:
            msg = f"needs column {', '.join(missing)} in {other.profile.uri}"
            raise RuleError(msg)
        return tuple((c, c) for c in rule.columns_), []
    said = []
    for place, names, others in (("here", ours, theirs), ("in the other", theirs, ours)):
        alone = [n for n in names if n not in others]
        if alone:
            said.append(f"only {place}, not compared: {', '.join(alone)}")
    return tuple((c, c) for c in ours if c in theirs and c not in key), said


def _itself(joined: Joined) -> Joined:
    return joined


def _compared(
    comparison: PairedComparison, here: NDArray[np.int64], there: NDArray[np.int64]
) -> Compared:
    """Compares some pairs."""
    found = differences(comparison, here, there)
    moved, edited = found.geometry.differs, np.zeros(len(here), dtype=bool)
    edits: list[list[str]] = [[] for _ in range(len(here))]
    for name, unlike in found.columns.items():
        edited |= unlike
        for i, (a, b) in zip(np.flatnonzero(unlike).tolist(), found.values[name], strict=True):
            edits[i].append(f"{name} ({b} → {a})")
    bad = np.flatnonzero(moved | edited)
    reasons = [_reason(str(found.geometry.kind[i]), edits[i]) for i in bad.tolist()]
    distance = found.geometry.distance
    return Compared(
        checked=len(here),
        violations=Violations.build(
            found.rows[bad],
            reasons,
            found.drawn[bad],
            measure=distance[bad],
            unit=length_unit(comparison.here.profile.pyproj_crs),
        ),
        counts=Counter({"moved": int(moved.sum()), "edited": int(edited.sum())}),
        columns=Counter({name: int(unlike.sum()) for name, unlike in found.columns.items()}),
        largest=float(np.nanmax(distance)) if np.isfinite(distance).any() else np.nan,
        moved=np.stack([here[moved], there[moved]], axis=1),
        boxes=found.boxes[moved],
        said=found.said,
    )


def _reason(kind: str, edits: Sequence[str]) -> str:
    told = []
    if kind:
        told.append(kind if kind.startswith("moved") else f"moved: {kind}")
    if edits:
        told.append(f"edited: {', '.join(edits)}")
    return "; ".join(told)


def _message(checked: int, pieces: Sequence[Compared], rest: Unpaired, joined: Joined) -> str:
    """The differences, counted by class."""
    counts = sum((p.counts for p in pieces), Counter(rest.counts))
    columns = sum((p.columns for p in pieces), Counter())
    largest = [p.largest for p in pieces if np.isfinite(p.largest)]
    unit = length_unit(joined.comparison.here.profile.pyproj_crs)
    told = []
    for name in ("gone", "new", "split", "merged", "moved", "edited"):
        if counts[name]:
            detail = ""
            if name == "moved" and largest:
                detail = f" (largest {f'{max(largest):.4g} {unit}'.rstrip()})"
            elif name == "edited":
                named = [c for c, _ in joined.comparison.columns if columns[c]]
                detail = f" ({', '.join(named)})"
            told.append(f"{counts[name]} {name}{detail}")
    if counts["repeated"]:
        told.append(f"{counts['repeated']} with a key that is not unique")
    if counts["null"]:
        told.append(f"{counts['null']} with a null in the key")
    told += [str(r) for r in joined.violations.reasons]
    return ", ".join(told) or f"{checked} feature{'' if checked == 1 else 's'} the same"

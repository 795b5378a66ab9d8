"""Suppression of violations: by area, by key, or because a baseline lists them.

A baseline identifies a violation by the name of its rule, the keys of its features and its place:
the centre of its box on a grid that is stored in the baseline. A violation with neither keys nor
place is identified by its reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same_horizontally
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violation_runs import (
    AnyViolations,
    SpilledViolations,
    ViolationRun,
    ViolationSink,
    found_by,
    parts_of,
    with_found,
)
from spatial_pipeline.model.violations import RuleOutcome, Violations
from spatial_pipeline.runtime.json_text import json_text

FORMAT = 1
EXTENT_PART = 1e-9
NAMED = 5
"""Missing baseline violations that the message names."""
NEW, BY_AREA, BY_KEYS, BY_BASELINE, OUTSIDE = range(5)
WORDS = {BY_AREA: "areas", BY_KEYS: "keys", BY_BASELINE: "baseline", OUTSIDE: "only_within"}

Fingerprint = str


@dataclass(frozen=True)
class Baseline:
    """The accepted violations of one rule in one partition.

    Attributes:
        grid: spacing of the places, units of the CRS.
        known: number of times that each fingerprint was accepted.

    """

    grid: float
    known: Counter[Fingerprint]


@dataclass(frozen=True)
class Suppression:
    """The suppressions of a rule.

    Attributes:
        areas: area in the CRS of the dataset, None when there is none.
        only: the area outside of which violations are accepted; None when there is none.
        keys: keys as JSON text, one per feature.
        baseline: None when the rule has none.
        notes: remarks.

    """

    areas: shapely.Geometry | None = None
    only: shapely.Geometry | None = None
    keys: frozenset[str] = frozenset()
    baseline: Baseline | None = None
    notes: tuple[str, ...] = ()

    def judge(self, violations: Violations, left: Counter[Fingerprint]) -> NDArray[np.int8]:
        """(n,) the suppression of each violation; ``NEW`` for none.

        Args:
            violations: located violations with their keys.
            left: accepted fingerprints not met yet; those met are removed.

        """
        verdict = np.zeros(len(violations), dtype=np.int8)
        if self.areas is not None:
            inside = ~shapely.is_missing(violations.geometry)
            inside[inside] = shapely.covered_by(violations.geometry[inside], self.areas)
            verdict[inside] = BY_AREA
        if self.only is not None:
            # A violation without a place may be anywhere: it counts.
            apart = (verdict == NEW) & ~shapely.is_missing(violations.geometry)
            apart &= ~shapely.is_empty(violations.geometry)
            apart[apart] = shapely.disjoint(violations.geometry[apart], self.only)
            verdict[apart] = OUTSIDE
        if self.keys and violations.keys is not None:
            for i in np.flatnonzero(verdict == NEW):
                involved = [_text(k) for k in violations.keys[i]]
                if involved and self.keys.issuperset(involved):
                    verdict[i] = BY_KEYS
        if self.baseline is not None:
            prints = fingerprints(violations, self.baseline.grid)
            for i in np.flatnonzero(verdict == NEW):
                if left[prints[i]] > 0:
                    left[prints[i]] -= 1
                    verdict[i] = BY_BASELINE
        return verdict


Acceptances = Callable[[Rule], Suppression | None]


@dataclass(frozen=True)
class Remaining:
    """An outcome without its suppressed violations.

    Attributes:
        outcome: the outcome without suppressed violations.
        counts: number of suppressed violations by kind of suppression.

    """

    outcome: RuleOutcome
    counts: dict[str, int] = field(default_factory=dict)


def without_accepted(
    outcome: RuleOutcome, accepted: Suppression, sink: ViolationSink | None = None
) -> Remaining:
    """Removes the suppressed violations from an outcome.

    The outcome of a rule that evaluates one number (``RuleOutcome.passed`` is set) is unchanged.

    Args:
        outcome: the outcome of the rule, violations in canonical order, keys filled in.
        accepted: the suppressions of the rule.
        sink: takes the remaining violations when they are in files.

    """
    left = Counter() if accepted.baseline is None else accepted.baseline.known.copy()
    judged = _Judged(outcome, sink)
    for part in parts_of(found_by(outcome)):
        judged.add(part, accepted.judge(part, left))
    counts = {word: judged.codes[code] for code, word in WORDS.items() if judged.codes[code]}
    notes = [*outcome.notes, *accepted.notes]
    if outcome.passed is not None:
        if counts:
            notes.append("the rule judges one number, of which nothing is accepted")
        return Remaining(replace(outcome, notes=tuple(notes)))
    notes += [
        f"{n} outside of only_within" if word == WORDS[OUTSIDE] else f"{n} accepted by {word}"
        for word, n in counts.items()
    ]
    gone = list((+left).elements())
    if gone:
        shown = ", ".join(gone[:NAMED]) + (", …" if len(gone) > NAMED else "")
        notes.append(f"{len(gone)} of the baseline are gone: {shown}")
    if not counts:
        return Remaining(replace(outcome, notes=tuple(notes)))
    rest = replace(
        outcome,
        count=judged.violations(),
        value=None,
        threshold=None,
        message="",
        notes=tuple(notes),
    )
    return Remaining(with_found(rest, judged.left()), counts)


class _Judged:
    """The remaining violations, suppressed chunk by chunk.

    Attributes:
        codes: number of violations for each suppression.

    """

    def __init__(self, outcome: RuleOutcome, sink: ViolationSink | None) -> None:
        self.codes: Counter[int] = Counter()
        self._outcome = outcome
        self._sink = sink
        self._new: list[Violations] = []
        self._runs: list[ViolationRun] = []
        self._sizes: list[NDArray[np.float64]] = [np.empty(0)]
        self._all = 0.0

    def add(self, violations: Violations, verdict: NDArray[np.int8]) -> None:
        """Adds the next part of the violations, with the suppression of each."""
        self.codes.update(verdict.tolist())
        kept = violations.take(verdict == NEW)
        spilled = isinstance(found_by(self._outcome), SpilledViolations)
        if self._outcome.count is not None:
            self._all += float(np.nan_to_num(violations.measure).sum())
            self._sizes.append(np.nan_to_num(kept.measure))
        if not spilled or self._sink is None:
            self._new.append(kept)
        elif len(kept):
            self._runs.append(self._sink.write(kept, np.full(len(kept), len(self._runs))))

    def left(self) -> AnyViolations:
        """The violations that are not suppressed."""
        found = found_by(self._outcome)
        if isinstance(found, SpilledViolations) and self._runs:
            return replace(found, runs=tuple(self._runs))
        return Violations.concat(self._new)

    def violations(self) -> int | None:
        """Number of remaining violations, where one row counts as several."""
        if self._outcome.count is None:
            return None
        if not self.codes[NEW]:
            return 0
        if self._all == self._outcome.count:
            return int(np.concatenate(self._sizes).sum())
        # The number that a row counts for is unknown: each counts as one, so that too many are
        # left.
        return self._outcome.count - (self.codes.total() - self.codes[NEW])


def fingerprints(violations: Violations, grid: float) -> list[Fingerprint]:
    """(n,) the fingerprint of each violation: its sorted keys, and its place on a grid."""
    bounds = shapely.bounds(violations.geometry).reshape(-1, 4)
    with np.errstate(invalid="ignore"):
        cells = np.round((bounds[:, :2] + bounds[:, 2:]) / 2 / grid)
    prints = []
    for i in range(len(violations)):
        keys = sorted(_text(k) for k in (violations.keys[i] if violations.keys is not None else ()))
        x, y = cells[i].tolist()
        place = f"@{x:.0f},{y:.0f}" if np.isfinite(x + y) else ""
        # Without keys and place, any violation of the rule would equal the accepted one.
        reason = "" if keys or place else f" {violations.reasons[i]}"
        prints.append(f"{','.join(keys)}{place}{reason}".strip())
    return prints


def grid_of(rule: Rule, profile: Profile) -> float:
    """Spacing of the places of a rule's violations: its tolerance, or a part of the extent."""
    box = profile.bounds
    extent = 0.0 if box is None else max(box[2] - box[0], box[3] - box[1])
    tolerance = getattr(rule, "tolerance", None) or 0.0
    return max(float(tolerance), EXTENT_PART * extent) or EXTENT_PART


def parsed(text: bytes, name: str, rule: str, partition: str | None) -> Baseline | None:
    """The part of a baseline file that is about one rule; None when it has none.

    Args:
        text: content of the file.
        name: of the file, for errors.
        rule: name of the check.
        partition: partition key.

    Raises:
        RuleError: the file is no baseline.

    """
    part = _parts(text, name).get(_part_key(rule, partition))
    if part is None:
        return None
    try:
        known: Counter[str] = Counter()
        for entry in part["accepted"]:
            known[str(entry["fingerprint"])] += 1
        grid = float(part["grid"])
    except (KeyError, TypeError, ValueError) as exc:
        msg = f"baseline {name} cannot be read: {rule}: {type(exc).__name__} {exc}"
        raise RuleError(msg) from exc
    if not grid > 0:
        msg = f"baseline {name} cannot be read: {rule}: grid must be positive"
        raise RuleError(msg)
    return Baseline(grid, known)


def updated(
    text: bytes | None,
    name: str,
    partition: str | None,
    found: Sequence[tuple[Rule, AnyViolations]],
    profile: Profile,
) -> bytes:
    """The baseline file after all present violations of some rules were accepted.

    Args:
        text: the file as it is, None when there is none; entries of other rules and partitions are
            kept.
        name: name of the file, for errors.
        partition: partition key.
        found: rules with all their violations, keys filled in.
        profile: profile of the dataset.

    Raises:
        RuleError: the file is not a baseline.

    """
    parts = {} if text is None else dict(_parts(text, name))
    for rule, violations in found:
        grid = grid_of(rule, profile)
        prints = [
            pair
            for part in parts_of(violations)
            for pair in zip(fingerprints(part, grid), part.reasons.tolist(), strict=True)
        ]
        parts[_part_key(rule.check_name, partition)] = {
            "grid": grid,
            "accepted": [{"fingerprint": p, "reason": str(r)} for p, r in sorted(prints)],
        }
    whole = {"baseline": FORMAT, "rules": dict(sorted(parts.items()))}
    return (json_text(whole, ascii_only=True, indent=1) + "\n").encode()


def area_of(areas: VectorReader, profile: Profile) -> tuple[shapely.Geometry, str]:
    """The union of the polygons of a dataset in the CRS of another, and remarks.

    Raises:
        RuleError: a polygon is invalid, or there is no transformation between the CRSs.

    """
    parts = [areas.batch(i, ()).geometry for i in range(areas.batch_count())]
    shapes = np.concatenate([np.empty(0, dtype=object), *parts])
    shapes = shapes[~shapely.is_missing(shapes)]
    invalid = int((~shapely.is_valid(shapes)).sum())
    if invalid:
        msg = f"{invalid} of the accepted areas are not valid"
        raise RuleError(msg)
    note = ""
    if not same_horizontally(areas.profile.pyproj_crs, profile.pyproj_crs):
        shapes, note = transformed(shapes, areas.profile.pyproj_crs, profile.pyproj_crs)
    union = shapely.union_all(shapes)
    shapely.prepare(union)
    return union, note


def key_texts(keys: Sequence[Sequence[Any]]) -> frozenset[str]:
    """Keys as text for comparison."""
    return frozenset(_text(k) for k in keys)


def _text(key: Sequence[Any]) -> str:
    return json_text(list(key), ascii_only=True, compact=True)


def _part_key(rule: str, partition: str | None) -> str:
    return rule if partition is None else f"{rule}[{partition}]"


def _parts(text: bytes, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
        parts = value["rules"]
        version = value["baseline"]
    except (ValueError, KeyError, TypeError) as exc:
        msg = f"baseline {name} cannot be read: {type(exc).__name__} {exc}"
        raise RuleError(msg) from exc
    if version != FORMAT or not isinstance(parts, dict):
        msg = f"baseline {name} cannot be read: not a baseline of format {FORMAT}"
        raise RuleError(msg)
    return parts

"""stable_keys: a key stays with its object from one delivery to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import PlannedCheck, evaluates
from spatial_pipeline.check.crs.transformation import length_unit, transformed
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.join.key_join import AT_ONCE, Side, by_key
from spatial_pipeline.contract.rules.keys import StableKeys
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.crs.comparison import same_horizontally
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations


@dataclass(frozen=True)
class KeptKeys:
    """Partial result: keys compared, violations, and notes."""

    checked: int
    found: Violations
    notes: tuple[str, ...] = ()


@evaluates(StableKeys)
class StableKeysCheck(PlannedCheck[StableKeys]):
    """Joins both deliveries by key; lost keys are listed when too many are lost.

    With ``no_reuse``, keys that are new are looked for in earlier deliveries, the latest first.
    """

    def plan(self) -> Iterable[Callable[[], KeptKeys]]:
        """The lost keys, then the distances of the others in bounded chunks.

        Raises:
            RuleError: there is no key, or its columns are missing or cannot be compared.

        """
        if not self.context.others:
            note = "nothing is published yet to compare with"
            return [lambda: KeptKeys(0, Violations.none(), (note,))]
        key = self.rule.key or self.context.key
        if not key:
            msg = "needs a key: name its columns in the rule or in the contract"
            raise RuleError(msg)
        data, other, *earlier = (
            cast("VectorReader", d) for d in (self.context.data, *self.context.others)
        )
        sides = [Side.of(d, key, self.rule.where, self.context.cancelled) for d in (data, other)]
        join = by_key(*sides)
        gone = join.gone[sides[1].judged[join.gone]]
        kept = sides[0].judged[join.here] & sides[1].judged[join.there]
        here, there = join.here[kept], join.there[kept]
        dubious = sum(len(a) for pair in (join.repeated, join.nulls) for a in pair)
        notes = (f"{dubious} null or repeated keys not compared",) if dubious else ()
        calls: list[Callable[[], KeptKeys]] = [
            partial(self._lost, sides[1], gone, len(here) + len(gone), notes)
        ]
        calls += self._compared(other, here, there, "the key was elsewhere")
        new = join.new[sides[0].judged[join.new]]
        for former in earlier:
            # Only versions that have a key tell where it was; the latest of them counts.
            before = by_key(sides[0], Side.of(former, key, self.rule.where, self.context.cancelled))
            back = np.isin(before.here, new)
            calls += self._compared(former, before.here[back], before.there[back], "reused")
            new = np.setdiff1d(new, before.here)
        return calls

    def _compared(
        self, other: VectorReader, here: NDArray[np.int64], there: NDArray[np.int64], reason: str
    ) -> list[Callable[[], KeptKeys]]:
        """Comparisons of the places of features with those of their keys elsewhere, in chunks."""
        return [
            partial(self._moved, other, here[i : i + AT_ONCE], there[i : i + AT_ONCE], reason)
            for i in range(0, len(here), AT_ONCE)
        ]

    def _lost(
        self, other: Side, gone: NDArray[np.int64], known: int, notes: tuple[str, ...]
    ) -> KeptKeys:
        if not len(gone) or (known - len(gone)) / known >= self.rule.min_kept:
            return KeptKeys(known, Violations.none(), notes)
        batch = other.data.take(gone, ())
        geometry, note = self._here(batch.geometry, other.data)
        found = Violations.build(
            np.full(len(gone), -1),
            "lost",
            places(geometry),
            keys=[(label,) for label in other.labels(gone)],
        )
        return KeptKeys(known, found, (*notes, *([note] if note else [])))

    def _moved(
        self, other: VectorReader, here: NDArray[np.int64], there: NDArray[np.int64], reason: str
    ) -> KeptKeys:
        self.context.cancelled()
        batch = cast("VectorReader", self.context.data).take(here, ())
        before, note = self._here(other.take(there, ()).geometry, other)
        with np.errstate(all="ignore"):
            # Null and empty geometries have no distance.
            distance = shapely.distance(batch.geometry, before)
        bad = np.flatnonzero(distance > self.rule.max_moved)
        found = Violations.build(
            batch.rows[bad],
            reason,
            places(batch.geometry[bad]),
            measure=distance[bad],
            unit=length_unit(batch.crs),
        )
        return KeptKeys(0, found, (note,) if note else ())

    def _here(
        self, geometry: NDArray[np.object_], other: VectorReader
    ) -> tuple[NDArray[np.object_], str]:
        """Geometries of another delivery in the CRS of this one, and a note on how."""
        crs, theirs = self.context.data.profile.pyproj_crs, other.profile.pyproj_crs
        if (crs is None and theirs is None) or same_horizontally(crs, theirs):
            return geometry, ""
        return transformed(geometry, theirs, crs)

    def violations_of(self, partial: KeptKeys) -> Violations:
        """The violations."""
        return partial.found

    def without_violations(self, partial: KeptKeys) -> KeptKeys:
        """Keys compared, and notes."""
        return KeptKeys(partial.checked, Violations.none(), partial.notes)

    def reduce(self, partials: Sequence[KeptKeys]) -> RuleOutcome:
        """All violations."""
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=Violations.concat(p.found for p in partials),
            notes=tuple(dict.fromkeys(note for p in partials for note in p.notes)),
        )

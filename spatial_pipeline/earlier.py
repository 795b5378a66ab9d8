"""Where a check meets what checks of earlier versions left behind in the store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.recall import Changes, Facts, carried, changes
from spatial_pipeline.check.topology.together import Together
from spatial_pipeline.cluster_worker import versions as code
from spatial_pipeline.identity import FILE, Identities, matched
from spatial_pipeline.pieces import Data, VectorData, computed
from spatial_pipeline.store import remembered
from spatial_pipeline.versions import VectorProfile, Version, fingerprint

if TYPE_CHECKING:
    from spatial_pipeline.store.versions import Store

CLASSES, NUMBER, EXTRA = "classes", "number_", "extra_"
"""Names of arrays, and how they begin."""


@dataclass(frozen=True)
class _Former:
    """An earlier version: which of its features each one of today's is, its boxes, and changes."""

    match: NDArray[np.int64]
    bounds: NDArray[np.float64]
    changes: dict[float, Changes] = field(default_factory=dict)


@dataclass
class Earlier:
    """The history of one version; see ``check.recall.History``. Asked from any thread.

    Attributes:
        store: where versions live.
        version: the version under check.
        data: its reader.

    """

    store: Store
    version: Version
    data: VectorData
    _formers: dict[str, _Former] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @computed
    def _identities(self) -> Identities | None:
        """What the geometries of the version are known by."""
        return remembered.identities(self.store.path(self.version), self.data.profile.count)

    def recall(self, name: str, wording: str, reach: float | None) -> Facts | None:
        """Facts of the latest version that has any for this wording."""
        try:
            return self._recalled(name, _with_code(wording), reach)
        except Exception:  # noqa: BLE001 - whatever is wrong with others, this one is checked whole
            return None

    def _recalled(self, name: str, asked: str, reach: float | None) -> Facts | None:
        others = self.store.versions(self.version.dataset, self.version.partition)
        for version in (self.version, *(v for v in others if v != self.version)):
            folder = self.store.path(version)
            if not (folder / remembered.FOLDER / f"{name}.npz").is_file():
                continue
            count = self.store.profile(version).count
            facts = _read(remembered.recalled(folder, name, asked), count)
            if facts is None:
                continue
            former = self._former(version, count)
            if former is None:
                continue
            where = None if reach is None else self._changes(former, reach)
            return carried(facts, former.match, where)
        return None

    def keep(self, name: str, wording: str, facts: Facts) -> None:
        """Stores facts beside the version under check."""
        folder = self.store.path(self.version)
        if not (folder / FILE).is_file():
            return
        arrays = {
            CLASSES: facts.classes,
            **{f"{NUMBER}{n}": a for n, a in facts.numbers.items()},
            **{f"{EXTRA}{n}": a for n, a in facts.extras.items()},
        }
        remembered.remember(folder, name, _with_code(wording), arrays)

    def _changes(self, former: _Former, reach: float) -> Changes:
        """Where this version differs from an earlier one; once for all rules of the same reach."""
        with self._lock:
            if reach not in former.changes:
                bounds = self.data.feature_bounds()
                former.changes[reach] = changes(former.match, bounds, former.bounds, reach)
            return former.changes[reach]

    def _former(self, version: Version, count: int) -> _Former | None:
        """An earlier version compared with this one; once for all rules."""
        with self._lock:
            if version.id not in self._formers:
                former = cast("VectorData", self.store.open(version))
                compared = Together[Any](
                    [
                        partial(self._matched, version, count),
                        former.feature_bounds,
                        # Those of today, which nearly all rules want.
                        self.data.feature_bounds,
                    ]
                )
                match, bounds, _ = compared.results()
                if match is None:
                    return None
                self._formers[version.id] = _Former(match, bounds)
            return self._formers[version.id]

    def _matched(self, version: Version, count: int) -> NDArray[np.int64] | None:
        """Which features of an earlier version those of this one are; None when nobody knows."""
        known = remembered.identities(self.store.path(version), count)
        if known is None or self._identities is None:
            return None
        return matched(self._identities, known)


def earlier(store: Store, version: Version, data: Data) -> Earlier | None:
    """The history of a version; None when it cannot be compared with another one."""
    profile = data.profile
    if not isinstance(profile, VectorProfile) or profile.error is not None or not profile.count:
        return None
    return Earlier(store, version, cast("VectorData", data))


def _read(arrays: remembered.Arrays | None, count: int) -> Facts | None:
    """Facts of ``count`` features as they were stored; None when they are damaged."""
    if arrays is None or CLASSES not in arrays:
        return None
    numbers = {n.removeprefix(NUMBER): a for n, a in arrays.items() if n.startswith(NUMBER)}
    extras = {n.removeprefix(EXTRA): a for n, a in arrays.items() if n.startswith(EXTRA)}
    whole = all(a.shape == (count,) for a in (arrays[CLASSES], *numbers.values()))
    return Facts(arrays[CLASSES].astype(np.uint8), numbers, extras) if whole else None


def _with_code(wording: str) -> str:
    """What was asked, and by which code: an upgrade asks anew."""
    return fingerprint(wording, code())

"""Results of earlier versions for incremental checks, read from and written to the store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.incremental.feature_cache import Changes, Facts, carried, changes
from spatial_pipeline.distributed.worker import feature_versions
from spatial_pipeline.model.features import computed
from spatial_pipeline.model.hashing.geometry_hash import FILE, Identities, matched
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.version import Version
from spatial_pipeline.runtime.hashing import fingerprint
from spatial_pipeline.runtime.shared_work import SharedWork
from spatial_pipeline.store import check_cache

if TYPE_CHECKING:
    from spatial_pipeline.store.versions import Store

CLASSES, NUMBER, EXTRA = "classes", "number_", "extra_"
"""Names of arrays, and how they begin."""


@dataclass(frozen=True)
class _Former:
    """An earlier version, compared with the one under check.

    Attributes:
        match: (n,) the matching earlier feature of each feature of today, -1 for none.
        gone: (m, 4) boxes of its features that no longer exist.
        changes: differences between the versions, by reach.

    """

    match: NDArray[np.int64]
    gone: NDArray[np.float64]
    changes: dict[float, Changes] = field(default_factory=dict)


@dataclass
class CheckHistory:
    """The check history of one version; see ``check.incremental.feature_cache.History``.

    Thread-safe.

    Attributes:
        store: the store.
        version: the version under check.
        data: its reader.

    """

    store: Store
    version: Version
    data: VectorReader
    _formers: dict[str, _Former] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @computed
    def _identities(self) -> Identities | None:
        """Content hashes of the geometries of the version."""
        return check_cache.identities(self.store.path(self.version), self.data.profile.count)

    def recall(self, name: str, wording: str, reach: float | None) -> Facts | None:
        """Facts of the latest version that has any for this cache key."""
        try:
            return self._recalled(name, _with_code(wording), reach)
        except Exception:  # noqa: BLE001 - whatever is wrong with others, this one is checked whole
            return None

    def _recalled(self, name: str, asked: str, reach: float | None) -> Facts | None:
        for version in self._versions():
            folder = self.store.path(version)
            if not (folder / check_cache.FOLDER / f"{name}.npz").is_file():
                continue
            count = self.store.profile(version).count
            facts = _read(check_cache.recalled(folder, name, asked), count)
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
        check_cache.remember(folder, name, _with_code(wording), arrays)

    def _changes(self, former: _Former, reach: float) -> Changes:
        """Differences from an earlier version; computed once for all rules with the same reach."""
        with self._lock:
            if reach not in former.changes:
                bounds = self.data.feature_bounds()
                former.changes[reach] = changes(former.match, bounds, former.gone, reach)
            return former.changes[reach]

    def _former(self, version: Version, count: int) -> _Former | None:
        """An earlier version compared with this one; computed once for all rules."""
        with self._lock:
            if version.id not in self._formers:
                # Nearly all rules need the boxes of today.
                calls: list[Any] = [partial(self._compared, version, count)]
                former, _ = SharedWork[Any]([*calls, self.data.feature_bounds]).results()
                if former is None:
                    return None
                self._formers[version.id] = former
            return self._formers[version.id]

    def _compared(self, version: Version, count: int) -> _Former | None:
        """Matches the features of this version to an earlier one; None when that is not known."""
        known = check_cache.identities(self.store.path(version), count)
        if known is None or self._identities is None:
            return None
        match = matched(self._identities, known)
        left = np.ones(count, dtype=bool)
        left[match[match >= 0]] = False
        former = cast("VectorReader", self.store.open(version))
        gone = [np.empty((0, 4))]
        for batch, (begin, end) in enumerate(pairwise(former.batch_starts().tolist())):
            if left[begin:end].any():
                gone.append(former.batch_bounds(batch)[left[begin:end]])
        return _Former(match, np.concatenate(gone))

    def _versions(self) -> list[Version]:
        """The version under check, then the others, the latest first."""
        others = self.store.versions(self.version.dataset, self.version.partition)
        return [self.version, *(v for v in others if v != self.version)]


def earlier(store: Store, version: Version, data: Reader) -> CheckHistory | None:
    """The history of a version; None when it cannot be compared with another one."""
    profile = data.profile
    if not isinstance(profile, VectorProfile) or profile.error is not None or not profile.count:
        return None
    return CheckHistory(store, version, cast("VectorReader", data))


def _read(arrays: check_cache.Arrays | None, count: int) -> Facts | None:
    """Facts of ``count`` features as they were stored; None when they are damaged."""
    if arrays is None or CLASSES not in arrays:
        return None
    numbers = {n.removeprefix(NUMBER): a for n, a in arrays.items() if n.startswith(NUMBER)}
    extras = {n.removeprefix(EXTRA): a for n, a in arrays.items() if n.startswith(EXTRA)}
    whole = all(a.shape == (count,) for a in (arrays[CLASSES], *numbers.values()))
    return Facts(arrays[CLASSES].astype(np.uint8), numbers, extras) if whole else None


def _with_code(wording: str) -> str:
    """Adds the code digest to a cache key, so that an upgrade invalidates the cache."""
    return fingerprint(wording, feature_versions())

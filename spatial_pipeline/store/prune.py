"""Deletes versions that nobody needs any more.

What readers see is never deleted, nor what was staged last, what a process has open, the versions
that a rollback may need, or anything younger than the retention says. A version disappears by one
rename to a hidden name, under the locks of staging, publishing and checking; its bytes are removed
afterwards. Killed in between, the next staging or pruning removes them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store import check_cache
from spatial_pipeline.store.leases import free_version
from spatial_pipeline.store.pointer import COPY, DAMAGE, FILE, read_file
from spatial_pipeline.store.staged_versions import LEFTOVERS, UNFINISHED
from spatial_pipeline.store.versions import Store

DAY_S = 86_400.0
LOCKS = ("stage", "publish", "verdict")
"""Taken in this order, as everybody does."""


@dataclass(frozen=True)
class Removal:
    """A version that is deleted, or would be.

    Attributes:
        version: its address.
        was: ``published`` before, ``withdrawn`` by a rollback, or ``unpublished``.
        since: POSIX seconds since when nobody needs it.
        size: bytes of its files.

    """

    version: Version
    was: str
    since: float
    size: int


@dataclass(frozen=True)
class Pruned:
    """The result for one partition.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        removed: deleted versions; with a dry run those that would be.
        remembered: bytes of facts for incremental checks that were deleted beside kept versions.
        leftovers: bytes that killed processes had left.
        kept: ids of the versions that stay.
        stays: reasons why something stayed that could have gone.

    """

    dataset: str
    partition: str | None
    removed: tuple[Removal, ...] = ()
    remembered: int = 0
    leftovers: int = 0
    kept: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()

    @property
    def freed(self) -> int:
        """Bytes that are free now."""
        return sum(r.size for r in self.removed) + self.remembered + self.leftovers

    @property
    def title(self) -> str:
        """Dataset with partition."""
        return self.dataset if self.partition is None else f"{self.dataset}[{self.partition}]"


@dataclass(frozen=True)
class Inspection:
    """Versions and caches of a partition that can be deleted, listed before any deletion.

    Attributes:
        removals: versions that may go.
        forgotten: kept versions whose remembered facts may go.
        kept: ids of versions that stay.

    """

    removals: tuple[Removal, ...] = ()
    forgotten: tuple[Version, ...] = ()
    kept: tuple[str, ...] = ()


def inspect(
    store: Store,
    dataset: str,
    partition: str | None,
    retention: Retention,
    now: float,
    pointers: tuple[Publication, ...] = (),
) -> Inspection:
    """Decides which versions of a partition may go; changes nothing.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.
        retention: how many, and how long.
        now: POSIX seconds.
        pointers: further publications of the partition: that of the database.

    Raises:
        StoreError: what readers see cannot be determined.

    """
    folder = store.folder(dataset, partition)
    pointers = (*pointers, *_pointers(folder, dataset))
    if not pointers and (folder / f"{FILE}.damaged").exists():
        msg = f"{dataset}: {FILE} was damaged and what readers saw is not known: publish it first"
        raise StoreError(msg)
    visible = {p.version for p in pointers}
    needed, before, withdrawn = set(visible), dict[str, str](), set[str]()
    for pointer in pointers:
        line = (pointer.version, *pointer.history)
        # The successor of a version was staged before readers ceased to see the version.
        before.update(zip(line[1:], line, strict=False))
        withdrawn |= set(pointer.withdrawn)
        good = [h for h in pointer.history if h not in pointer.withdrawn]
        there = [g for g in good if store.has(Version(dataset, partition, g))]
        needed |= set(there[: retention.keep])
    staging = store.staging(dataset, partition)
    if staging is not None:
        visible.add(staging.version)
        needed.add(staging.version)
    removals, forgotten, kept = [], [], []
    for version in store.versions(dataset, partition):
        name = version.id
        since = _needed_until(store, version, before.get(name))
        young = since >= now - retention.days * DAY_S
        if young or name in needed or (not pointers and _passed(store, version)):
            kept.append(name)
            if not young and name not in visible:
                forgotten.append(version)
            continue
        was = "published" if name in before else "unpublished"
        was = "withdrawn" if name in withdrawn else was
        removals.append(Removal(version, was, since, size_of(store.path(version))))
    return Inspection(tuple(removals), tuple(forgotten), tuple(kept))


def prune(
    store: Store,
    dataset: str,
    partition: str | None,
    retention: Retention,
    now: float,
    pointers: tuple[Publication, ...] = (),
    *,
    dry_run: bool = False,
) -> Pruned:
    """Deletes what :func:`inspect` finds, decided anew under the locks of the partition.

    Raises:
        StoreError: another process holds a lock for too long, or the store cannot be written.

    """
    folder = store.folder(dataset, partition)
    leftovers = sum(size_of(p) for p in _leftovers(folder))
    if dry_run:
        found = inspect(store, dataset, partition, retention, now, pointers)
        facts = sum(size_of(store.path(v) / check_cache.FOLDER) for v in found.forgotten)
        return Pruned(dataset, partition, found.removals, facts, leftovers, found.kept)
    aside: list[Path] = []
    removed: list[Removal] = []
    stays: list[str] = []
    facts = 0
    try:
        with ExitStack() as stack:
            for purpose in LOCKS:
                stack.enter_context(store.lock(dataset, partition, purpose))
            found = inspect(store, dataset, partition, retention, now, pointers)
            kept = list(found.kept)
            for removal in found.removals:
                hidden = folder / f"{UNFINISHED}{uuid4().hex}"
                with free_version(store.path(removal.version)) as free:
                    if not free:
                        stays.append(f"{removal.version} is being read")
                        kept.append(removal.version.id)
                        continue
                    store.path(removal.version).rename(hidden)
                aside.append(hidden)
                removed.append(removal)
            for version in found.forgotten:
                facts += _forget(store.path(version))
    except OSError as exc:
        msg = f"cannot prune {dataset} in {store.root}: {exc}"
        raise StoreError(msg) from exc
    finally:
        for path in aside:
            shutil.rmtree(path, ignore_errors=True)
    return Pruned(dataset, partition, tuple(removed), facts, leftovers, tuple(kept), tuple(stays))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; those that vanish meanwhile count as 0."""
    if not path.is_dir() or path.is_symlink():
        with contextlib.suppress(OSError):
            return path.lstat().st_size
        return 0
    total = 0
    for folder, _, names in os.walk(path):
        total += sum(size_of(Path(folder) / name) for name in names)
    return total


def _pointers(folder: Path, dataset: str) -> list[Publication]:
    """The pointer and its copy, which may be ahead of it after a crash."""
    found = []
    problems = []
    for name in (FILE, COPY):
        try:
            pointer = read_file(folder / name)
        except DAMAGE as exc:
            problems.append(f"{name} cannot be read: {exc}")
            continue
        found += [] if pointer is None else [pointer]
    if problems:
        msg = f"{dataset}: {'; '.join(problems)}; publish it first, which makes it whole again"
        raise StoreError(msg)
    return found


def _needed_until(store: Store, version: Version, successor: str | None) -> float:
    """Since when readers and checks do not need a version, in POSIX seconds.

    The folder carries the time at which readers were switched away from it, or its last check.
    """
    times = [store.staged_at(version), store.path(version).stat().st_mtime]
    if successor is not None:
        with contextlib.suppress(OSError):
            times.append(store.staged_at(Version(version.dataset, version.partition, successor)))
    return max(times)


def _passed(store: Store, version: Version) -> bool:
    """True for a version that passed: readers may see it where nothing says what they see."""
    verdict = store.verdict(version)
    results = () if verdict is None else verdict.results
    return bool(results) and not any(r.blocks for r in results)


def _leftovers(folder: Path) -> Iterator[Path]:
    for patterns in LEFTOVERS.values():
        for pattern in patterns:
            yield from folder.glob(pattern)


def _forget(version: Path) -> int:
    """Removes remembered facts; the age of the version stays."""
    facts = version / check_cache.FOLDER
    if not facts.is_dir():
        return 0
    size, status = size_of(facts), version.stat()
    shutil.rmtree(facts, ignore_errors=True)
    os.utime(version, ns=(status.st_atime_ns, status.st_mtime_ns))
    return size


__all__ = ["Inspection", "Pruned", "Removal", "inspect", "prune", "size_of"]

"""Looks at everything that the store holds, changes nothing, and says what is wrong."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store.pointer import COPY, DAMAGE, FILE, checked_id, read_file
from spatial_pipeline.store.prune import size_of
from spatial_pipeline.store.root_files import OTHERS, stale, strangers
from spatial_pipeline.store.schemas import ACCEPTED, read_acceptances
from spatial_pipeline.store.seals import CONTENT, SEAL, is_sealed
from spatial_pipeline.store.stac_items import item_problem
from spatial_pipeline.store.staged_versions import FETCHED, LEFTOVERS
from spatial_pipeline.store.versions import Store

STAGED = "staged.json"


@dataclass(frozen=True)
class Defect:
    """Something wrong with the store.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: id of the version, None where it is not about one.
        problem: the defect in one sentence.
        remedy: the next step.
        harms: False for what the next run mends by itself and no reader can see.

    """

    dataset: str
    partition: str | None
    version: str | None
    problem: str
    remedy: str
    harms: bool = True

    @property
    def title(self) -> str:
        """Dataset, partition and version."""
        if self.version is not None:
            return str(Version(self.dataset, self.partition, self.version))
        return str(Version(self.dataset, self.partition, "")).removesuffix("@")


def verify(store: Store, dataset: str, partition: str | None) -> list[Defect]:
    """Defects of one partition: pointers, versions, digests, seals, layers and leftovers.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.

    """
    return list(_Inspector(store, dataset, partition).defects())


def verify_root(store: Store, now: float) -> list[Defect]:
    """Defects beside the datasets: strangers, and leftovers of processes that ended.

    Args:
        store: the store.
        now: POSIX seconds.

    """
    found = [
        Defect("-", None, None, f"{path} is not of the store", "move it out of it", harms=False)
        for path in strangers(store.root)
    ]
    old = len(stale(store.root, now))
    if old:
        text = f"{old} sign{'s' if old > 1 else ''} of life of processes that ended a day ago"
        remedy = (
            "the sensor dead_runs removes them, or spatial-pipeline store prune --keep N --days D"
        )
        found.append(Defect("-", None, None, text, remedy, harms=False))
    return found


def partitions(store: Store) -> list[tuple[str, str | None]]:
    """Every partition with a folder, whether it holds anything readable or not.

    Other sources of comparisons are among them.
    """
    return [
        (folder.name, key)
        for folder in sorted(store.root.glob("*"))
        if folder.is_dir() and (folder.name == OTHERS or not folder.name.startswith("."))
        for key in store.partition_folders(folder.name)
    ]


class _Inspector:
    def __init__(self, store: Store, dataset: str, partition: str | None) -> None:
        self.store, self.dataset, self.partition = store, dataset, partition
        self.folder = store.folder(dataset, partition)
        key = "" if partition is None else f" --partition {partition}"
        self.run = f"spatial-pipeline run {dataset}{key}"
        # What is damaged there is staged again before any check uses it.
        self.others = dataset == OTHERS
        if self.others:
            self.run = "the next check of a dataset that is compared with it"

    def defect(
        self, problem: str, remedy: str, version: str | None = None, *, harms: bool = True
    ) -> Defect:
        harms = harms and not self.others
        return Defect(self.dataset, self.partition, version, problem, remedy, harms)

    def defects(self) -> Iterator[Defect]:
        seen, unreadable = list[str](), False
        for name in (FILE, COPY):
            try:
                pointer = read_file(self.folder / name)
            except DAMAGE as exc:
                unreadable |= name == FILE
                yield self.defect(f"{name} is damaged: {exc}", f"{self.run}: it writes it again")
                continue
            if pointer is not None:
                seen.append(pointer.version)
                yield from self._pointer(name, pointer)
            elif name == FILE and (self.folder / COPY).exists():
                text = f"{FILE} is missing; its copy is read"
                yield self.defect(text, f"{self.run}: it writes it again")
        if len(set(seen)) > 1:
            text = f"{COPY} names {seen[1]}, {FILE} {seen[0]}: a publication was killed"
            yield self.defect(text, f"{self.run}: it goes on", harms=False)
        yield from self._staged()
        yield from self._lists()
        readers = seen[0] if seen else None
        for path in sorted(self.folder.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                yield from self._version(path, path.name == readers)
        yield from self._leftovers()

    def _pointer(self, name: str, pointer: Publication) -> Iterator[Defect]:
        version = Version(self.dataset, self.partition, pointer.version)
        if not self.store.path(version).is_dir():
            text = f"{name} names this version, and it is gone"
            remedy = f"restore it from the backup, or {self.run}"
            yield self.defect(text, remedy, pointer.version)

    def _staged(self) -> Iterator[Defect]:
        path = self.folder / STAGED
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            version = Version(self.dataset, self.partition, checked_id(value.get("version")))
        except FileNotFoundError:
            yield self.defect(f"{STAGED} is missing", f"{self.run}: it stages again")
            return
        except (OSError, ValueError, AttributeError, RecursionError, StoreError) as exc:
            yield self.defect(f"{STAGED} is damaged: {exc}", f"{self.run}: it stages again")
            return
        if not self.store.path(version).is_dir():
            text = f"{STAGED} names this version, and it is gone"
            yield self.defect(text, f"{self.run}: it stages again", version.id)

    def _lists(self) -> Iterator[Defect]:
        try:
            read_acceptances(self.folder / ACCEPTED)
        except StoreError as exc:
            remedy = f"spatial-pipeline accept {self.dataset}, where the schema is as wanted"
            yield self.defect(str(exc), remedy)
        path = self.folder / FETCHED
        try:
            if path.exists() and not isinstance(json.loads(path.read_bytes()), dict):
                raise ValueError("it holds no object")
        except (OSError, ValueError, RecursionError) as exc:
            text = f"{FETCHED} is damaged: {exc}"
            yield self.defect(text, f"{self.run}: it fetches again", harms=False)

    def _version(self, path: Path, read: bool) -> Iterator[Defect]:
        name = path.name
        again = f"{self.run}: it stages and checks again"
        remedy = f"restore {path} from the backup, or {again}" if read else again
        try:
            version = Version(self.dataset, self.partition, checked_id(name))
        except StoreError:
            yield self.defect(f"{path} is not a version", "move it out of the store", harms=False)
            return
        if not self.store.has(version):
            yield self.defect("it is not whole: data or profile are missing", remedy, name)
            return
        try:
            content = self.store.content(version)
            recorded = self.store.staged_content(version)
            self.store.profile(version)
        except StoreError as exc:
            yield self.defect(str(exc), remedy, name)
            return
        if recorded is None:
            text = f"it was staged by an earlier release, without a digest ({CONTENT})"
            yield self.defect(text, again, name, harms=False)
        yield from self._verdict(version, content, read)
        problem = item_problem(path, self.store.data_path(version))
        if problem is not None:
            yield self.defect(problem, f"{self.run}: it writes it again", name, harms=False)

    def _verdict(self, version: Version, content: str, read: bool) -> Iterator[Defect]:
        path = self.store.path(version)
        check = f"{self.run}: it checks again"
        if not (path / "verdict.json").exists():
            if read:
                yield self.defect("readers see it, and it has no verdict", check, version.id)
            return
        value: Any = None
        with contextlib.suppress(OSError, ValueError, RecursionError):
            value = json.loads((path / "verdict.json").read_bytes())
        whole = isinstance(value, dict) and is_sealed(value)
        verdict = self.store.verdict(version) if whole else None
        if verdict is None:
            bare = isinstance(value, dict) and SEAL not in value
            who = "written by an earlier release, or edited" if bare else "edited or damaged"
            text = f"its verdict.json was {who}: it counts as never checked"
            yield self.defect(text, check, version.id)
            return
        if verdict.content is None:
            text = "its verdict is of an earlier release and names no digest"
            yield self.defect(text, check, version.id, harms=False)
        elif verdict.content != content:
            yield self.defect("its verdict is about other bytes", check, version.id)
        blocking = [r.name for r in verdict.results if r.blocks]
        if read and blocking:
            text = f"readers see it, and it does not pass: {', '.join(blocking)}"
            whose = "" if self.partition is None else f" --partition {shlex.quote(self.partition)}"
            remedy = f"correct the data, or spatial-pipeline rollback {self.dataset}{whose}"
            yield self.defect(text, remedy, version.id)
        found = any(r.violations for r in verdict.results)
        if found and (path / "violations.parquet").exists():
            try:
                pq.read_metadata(path / "violations.parquet")
            except (OSError, pa.ArrowException) as exc:
                text = f"violations.parquet is damaged: {exc}"
                yield self.defect(text, check, version.id, harms=False)

    def _leftovers(self) -> Iterator[Defect]:
        found = [
            p for patterns in LEFTOVERS.values() for g in patterns for p in self.folder.glob(g)
        ]
        if found:
            size = sum(size_of(p) for p in found)
            text = f"{len(found)} leftovers of killed processes, {size} bytes"
            yield self.defect(text, f"{self.run}: it removes them", harms=False)
        damaged = self.folder / f"{FILE}.damaged"
        if damaged.exists():
            text = f"{damaged.name} was put aside: what a rollback withdrew is not known"
            yield self.defect(text, f"look at it, then remove {damaged}", harms=False)

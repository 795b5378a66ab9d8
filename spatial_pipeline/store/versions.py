"""Staged versions, their verdicts and the published pointer, in a folder.

Layout::

    <root>/<dataset>/<partition or ->/<version>/{data.parquet|data.tif, profile.json,
                                                 verdict.json, violations.parquet}
    <root>/<dataset>/<partition or ->/{staged.json, published.json, accepted.json, fetched.json}

A version folder appears by one rename when it is whole and never changes afterwards; only the
verdict beside the data is written anew when rules are checked again. ``published.json`` is the
one thing that readers follow; ``staged.json`` names the version that was staged last;
``accepted.json`` lists the schemas that a person accepted, for one partition or, in ``-``, for all;
``fetched.json`` is what sources on other machines said of themselves when they were staged.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

from spatial_pipeline.errors import NotPublishedError, StoreError
from spatial_pipeline.model.profile import Profile, VectorProfile, profile_from_json
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.schema_diff import (
    SchemaApproval,
    SchemaChange,
    SchemaEvidence,
    schema_change,
    schema_of,
)
from spatial_pipeline.model.version import Publication, Staging, Version
from spatial_pipeline.store.contents import column_contents
from spatial_pipeline.store.files import sync_file, sync_folder, write_json
from spatial_pipeline.store.locks import TIMEOUT_S, locked
from spatial_pipeline.store.staged import StagedRaster, StagedVector

UNFINISHED = ".unfinished-"
FETCHED = "fetched.json"
REMEMBERED = 1000
"""Proofs that are kept of one partition."""


class Store:
    """A folder of versions.

    Args:
        root: the folder.
        lock_timeout_s: longest wait for what another process is doing to a partition.

    """

    def __init__(self, root: Path, lock_timeout_s: float = TIMEOUT_S) -> None:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(root)):
            msg = f"SPATIAL_STORE={root}: only folders are supported so far"
            raise StoreError(msg)
        self.root = root.absolute()
        self.lock_timeout_s = lock_timeout_s

    def folder(self, dataset: str, partition: str | None) -> Path:
        """Folder of one partition of a dataset."""
        return self.root / dataset / ("-" if partition is None else _segment(partition))

    def path(self, version: Version) -> Path:
        """Folder of a version."""
        return self.folder(version.dataset, version.partition) / version.id

    def data_path(self, version: Version) -> Path:
        """The data file of a version; an unreadable raster has none."""
        profile = self.profile(version)
        name = "data.parquet" if isinstance(profile, VectorProfile) else "data.tif"
        return self.path(version) / name

    def has(self, version: Version) -> bool:
        """True when the version is staged, whole."""
        return (self.path(version) / "profile.json").is_file()

    def stage(
        self,
        version: Version,
        write: Callable[[Path], Profile],
        staging: Staging | None = None,
    ) -> bool:
        """Stages a version unless it is there; False when nothing had to be done.

        Args:
            version: address of the version.
            write: writes the data file into the folder it is given and returns the profile.
            staging: under what it is staged; not known unless given.

        Raises:
            StoreError: the store cannot be written.

        """
        folder = self.folder(version.dataset, version.partition)
        staging = staging or Staging(version.id)
        try:
            with self.lock(version.dataset, version.partition, "stage"):
                if self.has(version):
                    write_json(folder / "staged.json", asdict(staging))
                    return False
                self._sweep(folder)
                unfinished = folder / f"{UNFINISHED}{uuid4().hex}"
                unfinished.mkdir(parents=True)
                try:
                    profile = write(unfinished)
                    write_json(unfinished / "profile.json", profile.to_json())
                    for file in unfinished.iterdir():
                        sync_file(file)
                    sync_folder(unfinished)
                    unfinished.rename(self.path(version))
                    sync_folder(folder)
                    write_json(folder / "staged.json", asdict(staging))
                finally:
                    shutil.rmtree(unfinished, ignore_errors=True)
        except OSError as exc:
            msg = f"cannot stage {version} in {self.root}: {exc}"
            raise StoreError(msg) from exc
        return True

    def remember(self, version: Version, proof: str) -> None:
        """Keeps in mind that a source which proves itself so is this version.

        Raises:
            StoreError: the store cannot be written.

        """
        file = self.folder(version.dataset, version.partition) / FETCHED
        try:
            with self.lock(version.dataset, version.partition, "stage"):
                proofs = self._json(file, str(version)) if file.exists() else {}
                if proofs.get(proof) != version.id:
                    proofs.pop(proof, None)
                    proofs[proof] = version.id
                    write_json(file, dict(list(proofs.items())[-REMEMBERED:]))
        except OSError as exc:
            msg = f"cannot write {FETCHED} of {version} in {self.root}: {exc}"
            raise StoreError(msg) from exc

    def remembered(self, dataset: str, partition: str | None, proof: str) -> str | None:
        """The staged version whose source proved itself so; None when there is none."""
        file = self.folder(dataset, partition) / FETCHED
        if not file.exists():
            return None
        found = self._json(file, dataset).get(proof)
        staged = isinstance(found, str) and self.has(Version(dataset, partition, found))
        return found if staged else None

    def staged_version(self, dataset: str, partition: str | None) -> Version:
        """The version that was staged last.

        Raises:
            StoreError: nothing was staged yet.

        """
        folder = self.folder(dataset, partition)
        value = self._json(folder / "staged.json", f"{dataset}: nothing staged yet")
        version = Version(dataset, partition, str(value["version"]))
        if not self.has(version):
            msg = f"{version} is gone from {self.root}: stage it again"
            raise StoreError(msg)
        return version

    def staging(self, dataset: str, partition: str | None) -> Staging | None:
        """What was staged last, and under what; None when nothing was staged yet."""
        path = self.folder(dataset, partition) / "staged.json"
        if not path.exists():
            return None
        value = self._json(path, dataset)
        return Staging(str(value["version"]), value.get("ingest"), value.get("seen"))

    def profile(self, version: Version) -> Profile:
        """Profile of a staged version."""
        return profile_from_json(self._json(self.path(version) / "profile.json", str(version)))

    def open(self, version: Version) -> Reader:
        """Reader of a staged version."""
        profile = self.profile(version)
        path = self.data_path(version)
        if isinstance(profile, VectorProfile):
            return StagedVector(path, profile, version.id)
        return StagedRaster(path, profile, version.id)

    def versions(self, dataset: str, partition: str | None) -> list[Version]:
        """Staged versions, latest first."""
        folder = self.folder(dataset, partition)
        if not folder.is_dir():
            return []
        found = [p for p in folder.iterdir() if (p / "profile.json").is_file()]
        found = [p for p in found if not p.name.startswith(".")]
        found.sort(key=lambda p: (p / "profile.json").stat().st_mtime_ns, reverse=True)
        return [Version(dataset, partition, p.name) for p in found]

    def verdict(self, version: Version) -> Verdict | None:
        """The verdict of a version; None when it was never checked or cannot be read."""
        try:
            value = self._json(self.path(version) / "verdict.json", str(version))
            return Verdict.from_json(value)
        except (StoreError, KeyError, TypeError, ValueError):
            return None

    def save_verdict(
        self,
        version: Version,
        merge: Callable[[Verdict | None], Verdict],
        write_violations: Callable[[Path], None],
    ) -> Verdict:
        """Stores the verdict that ``merge`` makes of the former one, and its violations.

        Both functions run under the lock of the version, so that two checks of one version lose
        nothing of each other.
        """
        folder = self.path(version)
        try:
            with self.lock(version.dataset, version.partition, "verdict"):
                verdict = merge(self.verdict(version))
                temporary = folder / f".violations.{uuid4().hex}.tmp"
                try:
                    write_violations(temporary)
                    if temporary.exists():
                        sync_file(temporary)
                        temporary.replace(folder / "violations.parquet")
                finally:
                    temporary.unlink(missing_ok=True)
                write_json(folder / "verdict.json", verdict.to_json())
        except OSError as exc:
            msg = f"cannot store the verdict of {version}: {exc}"
            raise StoreError(msg) from exc
        return verdict

    def published(self, dataset: str, partition: str | None) -> Publication | None:
        """The published pointer; None when nothing was published yet."""
        path = self.folder(dataset, partition) / "published.json"
        if not path.exists():
            return None
        value = self._json(path, dataset)
        for name in ("history", "withdrawn"):
            value[name] = tuple(value[name])
        return Publication(**value)

    def published_version(self, dataset: str, partition: str | None) -> Version:
        """The version that readers see.

        Raises:
            NotPublishedError: nothing was published yet.

        """
        publication = self.published(dataset, partition)
        if publication is None:
            name = Version(dataset, partition, "?")
            msg = f"{str(name).removesuffix('@?')} has no published version yet"
            raise NotPublishedError(msg)
        return Version(dataset, partition, publication.version)

    def switch(self, dataset: str, partition: str | None, publication: Publication) -> None:
        """Switches the published pointer in one rename."""
        try:
            write_json(self.folder(dataset, partition) / "published.json", asdict(publication))
        except OSError as exc:
            msg = f"cannot publish {dataset}: {exc}"
            raise StoreError(msg) from exc

    def datasets(self) -> list[str]:
        """Datasets of which something was staged."""
        found = {p.parents[1].name for p in self.root.glob("*/*/staged.json")}
        return sorted(name for name in found if not name.startswith("."))

    def staged_at(self, version: Version) -> float:
        """When a version was staged first, in POSIX seconds."""
        return (self.path(version) / "profile.json").stat().st_mtime

    def partitions(self, dataset: str) -> list[str | None]:
        """Partitions that have a published version."""
        return self._having(dataset, "published.json")

    def staged_partitions(self, dataset: str) -> list[str | None]:
        """Partitions that have a staged version."""
        return self._having(dataset, "staged.json")

    def _having(self, dataset: str, pointer: str) -> list[str | None]:
        found = sorted(p.parent.name for p in (self.root / dataset).glob(f"*/{pointer}"))
        return [None if name == "-" else _unsegment(name) for name in found]

    def schema_evidence(self, version: Version) -> SchemaEvidence | None:
        """How the schema of a version differs from what readers know.

        It is compared with the published version of the partition; before the first, with the one
        that was published last of the dataset's partitions. None when there is no such version,
        or when the source of this version could not be read and so has no schema.
        """
        profile = self.profile(version)
        reference = self._reference(version)
        if reference is None or profile.error is not None:
            return None
        schema = schema_of(profile)
        before = schema_of(self.profile(reference))
        change = SchemaChange()
        if schema != before:
            change = schema_change(
                before,
                schema,
                column_contents(self.data_path(reference)),
                column_contents(self.data_path(version)),
            )
        whose = "" if reference.partition == version.partition else f" of {reference.partition}"
        accepted = self.acceptances(version.dataset, version.partition)
        return SchemaEvidence(
            change=change,
            fingerprint=schema.fingerprint,
            reference=f"the published version {reference.id}{whose}",
            accepted=any(a.schema == schema.fingerprint for a in accepted),
        )

    def acceptances(self, dataset: str, partition: str | None) -> list[SchemaApproval]:
        """Schemas that a person accepted for a partition, those for all partitions included."""
        found: list[SchemaApproval] = []
        for key in dict.fromkeys((None, partition)):
            path = self.folder(dataset, key) / "accepted.json"
            if path.exists():
                value = self._json(path, dataset)
                found += [SchemaApproval(**a) for a in value["schemas"]]
        return found

    def accept(self, dataset: str, partition: str | None, acceptance: SchemaApproval) -> None:
        """Writes down that a person accepted a schema.

        Args:
            dataset: name of the dataset.
            partition: only for this partition; for all of them when None.
            acceptance: which schema, who and when.

        """
        try:
            with self.lock(dataset, partition, "accept"):
                path = self.folder(dataset, partition) / "accepted.json"
                known = self._json(path, dataset)["schemas"] if path.exists() else []
                others = [a for a in known if a["schema"] != acceptance.schema]
                write_json(path, {"schemas": [*others, asdict(acceptance)]})
        except OSError as exc:
            msg = f"cannot write down what was accepted of {dataset}: {exc}"
            raise StoreError(msg) from exc

    def _reference(self, version: Version) -> Version | None:
        """The published version that the schema of a version is compared with."""
        own = self.published(version.dataset, version.partition)
        if own is not None:
            return Version(version.dataset, version.partition, own.version)
        return self.latest(version.dataset)

    def latest(self, dataset: str) -> Version | None:
        """The version that was published last, of whatever partition; None before the first."""
        found = [(p, self.published(dataset, p)) for p in self.partitions(dataset)]
        named = [(a.published_at, p or "", Version(dataset, p, a.version)) for p, a in found if a]
        return max(named, key=lambda n: n[:2])[2] if named else None

    @contextlib.contextmanager
    def lock(self, dataset: str, partition: str | None, purpose: str) -> Iterator[None]:
        """Only one process at a time does this to a partition.

        Raises:
            StoreError: another process does it and does not end in time.

        """
        file = self.folder(dataset, partition) / f".{purpose}.lock"
        with locked(file, self.lock_timeout_s):
            yield

    def _sweep(self, folder: Path) -> None:
        """Removes what a killed run left; called under the lock, so nobody is writing it."""
        for leftover in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _json(self, path: Path, name: str) -> dict[str, Any]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as exc:
            msg = f"{name}: {path.name} cannot be read: {exc}"
            raise StoreError(msg) from exc
        if not isinstance(value, dict):
            msg = f"{name}: {path.name} holds no object"
            raise StoreError(msg)
        return value


def _segment(partition: str) -> str:
    """A partition key as one folder name, whatever characters it has."""
    segment = quote(partition, safe="")
    if segment in {"", ".", "..", "-"}:
        segment = "".join(f"%{b:02X}" for b in partition.encode()) or "%"
    return segment


def _unsegment(segment: str) -> str:
    return "" if segment == "%" else unquote(segment)

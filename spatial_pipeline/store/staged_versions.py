"""Staged versions in a folder: written once, proven to be whole, opened for reading.

Verdicts, and what readers see, belong to ``versions``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import Profile, VectorProfile, profile_from_json
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.version import Staging, Version
from spatial_pipeline.store import check_cache
from spatial_pipeline.store.files import sweep, sync_file, sync_folder, write_json
from spatial_pipeline.store.folders import Folders
from spatial_pipeline.store.leases import lease
from spatial_pipeline.store.locks import locked
from spatial_pipeline.store.pointer import COPY, FILE, checked_id, mend_pointer
from spatial_pipeline.store.seals import CONTENT, DATA, content_of
from spatial_pipeline.store.stac_items import ITEM
from spatial_pipeline.store.staged import StagedRaster, StagedVector

logger = logging.getLogger("spatial_pipeline")
UNFINISHED = ".unfinished-"
FETCHED = "fetched.json"
REMEMBERED = 1000
"""Proofs that are kept of one partition."""
LEFTOVERS = {
    "stage": (f"{UNFINISHED}*", ".staged.json.*.tmp", ".fetched.json.*.tmp"),
    "verdict": ("*/.violations.*.tmp", "*/.verdict.json.*.tmp"),
    "publish": (
        ".published.json.*.tmp",
        "..published.json.*.tmp",
        "*/.publication.json.*.tmp",
        f"*/.{ITEM}.*.tmp",
    ),
    "accept": (".accepted.json.*.tmp",),
}
"""Names that a killed process leaves in the folder of a partition, by the lock it held."""


class StagedVersions(Folders):
    """The staged versions of a store; see :class:`Folders`."""

    def data_path(self, version: Version) -> Path:
        """The data file of a version; an unreadable raster has none."""
        profile = self.profile(version)
        name = "data.parquet" if isinstance(profile, VectorProfile) else "data.tif"
        return self.path(version) / name

    def has(self, version: Version) -> bool:
        """True when the version is staged, with all its files."""
        folder = self.path(version)
        if not (folder / "profile.json").is_file():
            return False
        if any((folder / name).is_file() for name in DATA):
            return True
        try:
            return self.profile(version).error is not None
        except StoreError:
            return False

    def profile(self, version: Version) -> Profile:
        """Profile of a staged version.

        Raises:
            StoreError: it is missing or damaged.

        """
        value = self._json(self.path(version) / "profile.json", str(version))
        value.pop(CONTENT, None)
        try:
            return profile_from_json(value)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            msg = f"{version}: profile.json is damaged: {exc!r}: stage it again"
            raise StoreError(msg) from exc

    def content(self, version: Version) -> str:
        """Digest of the bytes of a version as they are now, and of its profile.

        Raises:
            StoreError: they cannot be read, or are not those that were staged.

        """
        content = self._bytes(version)
        if self.staged_content(version) not in {None, content}:
            msg = (
                f"{version} does not match what was staged, because its files changed: run it again"
            )
            raise StoreError(msg)
        return content

    def staged_content(self, version: Version) -> str | None:
        """Digest of what was staged; None when an earlier release staged it."""
        found = self._json(self.path(version) / "profile.json", str(version)).get(CONTENT)
        return None if found is None else str(found)

    def stage(
        self,
        version: Version,
        write: Callable[[Path], Profile],
        staging: Staging | None = None,
    ) -> bool:
        """Stages a version unless it is there, whole; False when nothing had to be done.

        A version that lost files, or whose bytes are not those that were staged, is staged again
        and has no verdict then.

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
                if (folder / FILE).exists() or (folder / COPY).exists():
                    with self.lock(version.dataset, version.partition, "publish"):
                        mend_pointer(folder, version.dataset)
                if self._intact(version):
                    write_json(folder / "staged.json", asdict(staging))
                    with contextlib.suppress(OSError):
                        # It is needed again: pruning counts its age from now on.
                        os.utime(self.path(version))
                    return False
                unfinished = folder / f"{UNFINISHED}{uuid4().hex}"
                unfinished.mkdir(parents=True)
                try:
                    profile = write(unfinished).to_json()
                    profile[CONTENT] = content_of(unfinished, profile)
                    write_json(unfinished / "profile.json", profile)
                    for file in unfinished.iterdir():
                        sync_file(file)
                    sync_folder(unfinished)
                    self._put_aside(version)
                    unfinished.rename(self.path(version))
                    sync_folder(folder)
                    write_json(folder / "staged.json", asdict(staging))
                finally:
                    sweep(folder, LEFTOVERS["stage"][:1])
        except OSError as exc:
            msg = f"cannot stage {version} in {self.root}: {exc}"
            raise StoreError(msg) from exc
        return True

    def staged_version(self, dataset: str, partition: str | None) -> Version:
        """The version that was staged last.

        Raises:
            StoreError: nothing was staged yet.

        """
        folder = self.folder(dataset, partition)
        value = self._json(folder / "staged.json", f"{dataset}: nothing staged yet")
        version = Version(dataset, partition, checked_id(value.get("version")))
        if not self.has(version):
            msg = f"{version} is gone from {self.root}: stage it again"
            raise StoreError(msg)
        return version

    def staging(self, dataset: str, partition: str | None) -> Staging | None:
        """Version staged last, with its inputs; None when there is none or no record of it."""
        try:
            value = self._json(self.folder(dataset, partition) / "staged.json", dataset)
            version = checked_id(value.get("version"))
        except StoreError:
            return None
        return Staging(version, value.get("ingest"), value.get("seen"))

    def open(self, version: Version) -> Reader:
        """Reader of a staged version, which is not pruned as long as the reader lives.

        Raises:
            StoreError: the version is missing or damaged.

        """
        profile = self.profile(version)
        path = self.data_path(version)
        vector = isinstance(profile, VectorProfile)
        reader = (StagedVector if vector else StagedRaster)(path, profile, version.id)  # type: ignore[arg-type]
        try:
            lease(self.path(version), reader)
        except OSError as exc:
            msg = f"{version} is gone from {self.root}: stage it again"
            raise StoreError(msg) from exc
        return reader

    def remember(self, version: Version, proof: str) -> None:
        """Keeps in mind that a source which proves itself so is this version.

        Raises:
            StoreError: the store cannot be written.

        """
        file = self.folder(version.dataset, version.partition) / FETCHED
        try:
            with self.lock(version.dataset, version.partition, "stage"):
                proofs = self._proofs(file)
                if proofs.get(proof) != version.id:
                    proofs.pop(proof, None)
                    proofs[proof] = version.id
                    write_json(file, dict(list(proofs.items())[-REMEMBERED:]))
        except OSError as exc:
            msg = f"cannot write {FETCHED} of {version} in {self.root}: {exc}"
            raise StoreError(msg) from exc

    def remembered(self, dataset: str, partition: str | None, proof: str) -> str | None:
        """The staged version whose source proved itself so; None when there is none."""
        found = self._proofs(self.folder(dataset, partition) / FETCHED).get(proof)
        try:
            staged = isinstance(found, str) and self._intact(Version(dataset, partition, found))
        except StoreError:
            return None
        return str(found) if staged else None

    @contextlib.contextmanager
    def lock(self, dataset: str, partition: str | None, purpose: str) -> Iterator[None]:
        """Only one process at a time does this to a partition; leftovers are swept first.

        Raises:
            StoreError: another process does it and does not end in time.

        """
        file = self.folder(dataset, partition) / f".{purpose}.lock"
        with locked(file, self.lock_timeout_s):
            sweep(file.parent, LEFTOVERS.get(purpose, ()))
            if purpose == "verdict":
                check_cache.forget_unfinished(file.parent)
            yield

    def _bytes(self, version: Version) -> str:
        profile = self._json(self.path(version) / "profile.json", str(version))
        try:
            return content_of(self.path(version), profile)
        except OSError as exc:
            msg = f"{version} cannot be read: {exc}"
            raise StoreError(msg) from exc

    def _intact(self, version: Version) -> bool:
        """True when the version is staged and its bytes are those that were staged."""
        if not self.has(version):
            return False
        try:
            self.profile(version)
            self.content(version)
        except StoreError:
            return False
        return True

    def _proofs(self, file: Path) -> dict[str, Any]:
        """Proofs of fetched sources; none when the file is missing or damaged: fetch again then."""
        try:
            return self._json(file, file.parent.name)
        except StoreError:
            return {}

    def _put_aside(self, version: Version) -> None:
        """Makes room for a version that is damaged; the next sweep removes what was there."""
        path = self.path(version)
        if path.exists():
            logger.warning("%s is damaged or not whole: it is staged again", version)
            path.rename(path.with_name(f"{UNFINISHED}{uuid4().hex}"))

    def _json(self, path: Path, name: str) -> dict[str, Any]:
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as exc:
            msg = f"{name}: {path.name} cannot be read: {exc}"
            raise StoreError(msg) from exc
        if not isinstance(value, dict):
            msg = f"{name}: {path.name} holds no object"
            raise StoreError(msg)
        return value

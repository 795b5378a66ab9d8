"""Staged versions, their verdicts and the published pointer, in a folder.

Layout::

    <root>/<dataset>/<partition or ->/<version>/{data.parquet|data.tif, profile.json,
                                                 verdict.json, violations.parquet, item.json}
    <root>/<dataset>/<partition or ->/{staged.json, published.json, accepted.json, fetched.json}

Temporary files and folders begin with a dot; whoever takes the lock under which they are written
removes those of killed processes.

A version folder appears by one rename when it is whole and never changes afterwards; only the
verdict beside the data is replaced when rules are checked again. ``published.json`` is the
one thing that readers follow; ``staged.json`` names the version that was staged last;
``accepted.json`` lists the schemas that a person accepted, for one partition or, in ``-``, for all;
``fetched.json`` is what sources on other machines said of themselves when they were staged.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from spatial_pipeline.errors import NotPublishedError, StoreError
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.schema_diff import SchemaApproval, SchemaEvidence
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store.files import sync_file, write_json
from spatial_pipeline.store.pointer import mend_pointer, read_pointer, write_pointer
from spatial_pipeline.store.schemas import ACCEPTED, add_acceptance, evidence, read_acceptances
from spatial_pipeline.store.seals import is_sealed, sealed
from spatial_pipeline.store.staged_versions import StagedVersions

logger = logging.getLogger("spatial_pipeline")


class Store(StagedVersions):
    """A folder of versions; see :class:`Folders`."""

    def verdict(self, version: Version) -> Verdict | None:
        """The verdict of a version; None when it was never checked, or was edited or damaged."""
        file = self.path(version) / "verdict.json"
        if not file.exists():
            return None
        try:
            value = self._json(file, str(version))
            if is_sealed(value):
                return Verdict.from_json(value)
        except (StoreError, KeyError, TypeError, ValueError, AttributeError):
            pass
        logger.warning(
            "%s: %s was not written like this by a check: it counts as none", version, file
        )
        return None

    def save_verdict(
        self,
        version: Version,
        merge: Callable[[Verdict | None], Verdict],
        write_violations: Callable[[Path], None],
    ) -> Verdict:
        """Stores the verdict that ``merge`` makes of the former one, and its violations.

        Both functions run under the lock of the version, so that two checks of one version lose
        nothing of each other. A former verdict about other bytes is not merged.

        Raises:
            StoreError: the store cannot be written, or the version not be read.

        """
        folder = self.path(version)
        try:
            with self.lock(version.dataset, version.partition, "verdict"):
                content = self._bytes(version)
                former = self.verdict(version)
                same = former is not None and former.content == content
                verdict = replace(merge(former if same else None), content=content)
                temporary = folder / f".violations.{uuid4().hex}.tmp"
                try:
                    write_violations(temporary)
                    if temporary.exists():
                        sync_file(temporary)
                        temporary.replace(folder / "violations.parquet")
                finally:
                    temporary.unlink(missing_ok=True)
                write_json(folder / "verdict.json", sealed(verdict.to_json()))
        except OSError as exc:
            msg = f"cannot store the verdict of {version}: {exc}"
            raise StoreError(msg) from exc
        return verdict

    def published(self, dataset: str, partition: str | None) -> Publication | None:
        """The published pointer; None when nothing was published yet.

        Raises:
            StoreError: the pointer is damaged, and its copy is, too.

        """
        return read_pointer(self.folder(dataset, partition), dataset)

    def mend(self, dataset: str, partition: str | None) -> None:
        """Makes a lost or damaged pointer whole again; the caller holds the lock "publish".

        Raises:
            StoreError: the store cannot be written.

        """
        try:
            mend_pointer(self.folder(dataset, partition), dataset)
        except OSError as exc:
            msg = f"cannot repair the pointer of {dataset}: {exc}"
            raise StoreError(msg) from exc

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
            write_pointer(self.folder(dataset, partition), publication)
        except OSError as exc:
            msg = f"cannot publish {dataset}: {exc}"
            raise StoreError(msg) from exc

    def schema_evidence(self, version: Version) -> SchemaEvidence | None:
        """Compare the schema of a version with the one that readers know.

        It is compared with the published version of the partition; before the first, with the one
        that was published last of the dataset's partitions. None when there is no such version,
        or when the source of this version could not be read and so has no schema.
        """
        profile = self.profile(version)
        reference = self._reference(version)
        if reference is None or profile.error is not None:
            return None
        whose = "" if reference.partition == version.partition else f" of {reference.partition}"
        name = f"the published version {reference.id}{whose}"
        return evidence(
            profile,
            self.data_path(version),
            (name, self.profile(reference), self.data_path(reference)),
            self.acceptances(version.dataset, version.partition),
        )

    def acceptances(self, dataset: str, partition: str | None) -> list[SchemaApproval]:
        """Schemas that a person accepted for a partition, those for all partitions included."""
        folders = (self.folder(dataset, key) for key in dict.fromkeys((None, partition)))
        return [a for folder in folders for a in read_acceptances(folder / ACCEPTED)]

    def accept(self, dataset: str, partition: str | None, acceptance: SchemaApproval) -> None:
        """Writes down that a person accepted a schema.

        Args:
            dataset: name of the dataset.
            partition: only for this partition; for all of them when None.
            acceptance: accepted schema, person and time.

        """
        try:
            with self.lock(dataset, partition, "accept"):
                add_acceptance(self.folder(dataset, partition) / ACCEPTED, acceptance)
        except OSError as exc:
            msg = f"cannot record the accepted schema of {dataset}: {exc}"
            raise StoreError(msg) from exc

    def _reference(self, version: Version) -> Version | None:
        """The published version that the schema of a version is compared with."""
        own = self.published(version.dataset, version.partition)
        if own is not None:
            return Version(version.dataset, version.partition, own.version)
        return self.latest(version.dataset)

    def latest(self, dataset: str) -> Version | None:
        """The version that was published last, of whatever partition; None before the first."""
        found = []
        for partition in self.partitions(dataset):
            with contextlib.suppress(StoreError):
                found.append((partition, self.published(dataset, partition)))
        named = [(a.published_at, p or "", Version(dataset, p, a.version)) for p, a in found if a]
        return max(named, key=lambda n: n[:2])[2] if named else None

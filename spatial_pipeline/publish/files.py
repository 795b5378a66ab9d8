"""Publishes a proven version to the readers of files: one atomic switch of a pointer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.gate.decision import decide, published_now
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.schema_diff import SchemaEvidence
from spatial_pipeline.model.version import Publication, Version


class VersionStore(Protocol):
    """Store as publishing needs it."""

    def verdict(self, version: Version) -> Verdict | None:
        """The verdict beside a version."""

    def content(self, version: Version) -> str:
        """Digest of the bytes of a version as they are now, if they are those that were staged."""

    def schema_evidence(self, version: Version) -> SchemaEvidence | None:
        """Compare the schema of a version with that of the published one."""

    def published(self, dataset: str, partition: str | None) -> Publication | None:
        """Publication that readers see."""

    def mend(self, dataset: str, partition: str | None) -> None:
        """Makes a lost or damaged pointer whole again."""

    def switch(self, dataset: str, partition: str | None, publication: Publication) -> None:
        """Makes readers see another version, at once."""

    def lock(
        self, dataset: str, partition: str | None, purpose: str
    ) -> AbstractContextManager[None]:
        """Only one process at a time does this."""


def publish(contract: DatasetContract, version: Version, shelf: VersionStore) -> Publication:
    """Makes readers see this version, if the gate is open for it.

    Publishing what is published already changes nothing.

    Raises:
        GateClosedError: the gate is closed; readers keep seeing what they saw.
        StoreError: the store cannot be written.

    """
    with shelf.lock(version.dataset, version.partition, "publish"):
        shelf.mend(version.dataset, version.partition)
        former = shelf.published(version.dataset, version.partition)
        withdrawn = () if former is None else former.withdrawn
        ask(contract, version, shelf, withdrawn)
        publication = advanced(contract, version, former)
        if publication != former:
            shelf.switch(version.dataset, version.partition, publication)
        return publication


def roll_back(contract: DatasetContract, version: Version, shelf: VersionStore) -> Publication:
    """Makes readers see an earlier version; what was published until now is withdrawn.

    The gate is asked about the earlier version like about any other: its verdict must be good for
    the contract of today. A withdrawn version is not published again by a later run; rolling back
    to it by name takes the withdrawal back.

    Raises:
        GateClosedError: the gate is closed for that version.
        StoreError: the store cannot be written.

    """
    with shelf.lock(version.dataset, version.partition, "publish"):
        shelf.mend(version.dataset, version.partition)
        former = shelf.published(version.dataset, version.partition)
        ask(contract, version, shelf, None)
        publication = reversed_to(contract, version, former)
        shelf.switch(version.dataset, version.partition, publication)
        return publication


def ask(
    contract: DatasetContract,
    version: Version,
    shelf: VersionStore,
    withdrawn: tuple[str, ...] | None,
) -> Verdict:
    """The verdict that lets the version out.

    Args:
        contract: the contract as it is today.
        version: the version to be published.
        shelf: the store.
        withdrawn: ids of versions that a rollback took back; None when a person asks for this
            version by name, which accepts its schema and takes a withdrawal back.

    Raises:
        GateClosedError: the gate is closed.

    """
    verdict = shelf.verdict(version)
    try:
        content = shelf.content(version)
    except StoreError as exc:
        raise GateClosedError(f"{version} is held: {exc}", (str(exc),)) from exc
    schema = None if withdrawn is None else shelf.schema_evidence(version)
    current = published_now(shelf.published, version)
    decision = decide(contract, version, verdict, withdrawn or (), schema, content, current)
    if verdict is None or not decision.open:
        msg = f"{version} is held: {'; '.join(decision.reasons)}"
        raise GateClosedError(msg, decision.reasons)
    return verdict


def advanced(
    contract: DatasetContract, version: Version, former: Publication | None
) -> Publication:
    """The pointer after this version is published; the former one when that changes nothing."""
    if former is not None and former.version == version.id:
        return _numbered(replace(former, contract_hash=contract.rules_hash), former)
    history = () if former is None else (former.version, *former.history)
    publication = Publication(
        version=version.id,
        contract_hash=contract.rules_hash,
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        history=tuple(dict.fromkeys(h for h in history if h != version.id)),
        withdrawn=() if former is None else former.withdrawn,
    )
    return _numbered(publication, former)


def reversed_to(
    contract: DatasetContract, version: Version, former: Publication | None
) -> Publication:
    """The pointer after a rollback: what was published until now is withdrawn."""
    publication = advanced(contract, version, former)
    withdrawn = set(publication.withdrawn) - {version.id}
    if former is not None and former.version != version.id:
        withdrawn.add(former.version)
    return _numbered(replace(publication, withdrawn=tuple(sorted(withdrawn))), former)


def _numbered(publication: Publication, former: Publication | None) -> Publication:
    """The pointer with the number after the former one's, unless both say the same."""
    before = 0 if former is None else former.number
    publication = replace(publication, number=before)
    return publication if publication == former else replace(publication, number=before + 1)

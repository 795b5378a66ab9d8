"""Publishes a proven version to the readers of files: one atomic switch of a pointer."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.gate.decision import Evidence, evaluate
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version


class VersionStore(Evidence, Protocol):
    """Store as publishing needs it."""

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
        ask(contract, version, shelf)
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
        ask(contract, version, shelf, by_name=True)
        publication = reversed_to(contract, version, former)
        shelf.switch(version.dataset, version.partition, publication)
        return publication


def ask(
    contract: DatasetContract, version: Version, shelf: VersionStore, *, by_name: bool = False
) -> Verdict:
    """The verdict that lets the version out; see :func:`spatial_pipeline.gate.decision.evaluate`.

    Raises:
        GateClosedError: the gate is closed.
        StoreError: what is published cannot be read.

    """
    decision = evaluate(contract, version, shelf, by_name=by_name)
    if decision.verdict is None or not decision.open:
        msg = f"{version} is held: {'; '.join(decision.reasons)}"
        raise GateClosedError(msg, decision.reasons)
    return decision.verdict


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

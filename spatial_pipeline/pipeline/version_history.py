"""The versions of a partition over time, as the store knows them, and how to name one of them.

Reads the store alone; judging by a contract of today does not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store.versions import Store

State = Literal["published", "published before", "withdrawn", "held", "passed", "not checked"]
SHORTEST = 4
"""Fewest characters that name a version."""


@dataclass(frozen=True)
class VersionRecord:
    """One version of a partition.

    Attributes:
        version: its address.
        state: ``published`` (readers see it), ``published before``, ``withdrawn`` by a rollback,
            ``held`` by its verdict, ``passed`` but not published, or ``not checked``.
        staged_at: ISO 8601 time in UTC of its staging.
        published_at: the same of its publication; None unless readers see it.
        verdict: its verdict; None when it was never checked.

    """

    version: Version
    state: State
    staged_at: str
    published_at: str | None
    verdict: Verdict | None

    @property
    def failed(self) -> tuple[Result, ...]:
        """Results of the rules that did not pass."""
        return (
            () if self.verdict is None else tuple(r for r in self.verdict.results if not r.passed)
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "version": self.version.id,
            "partition": self.version.partition,
            "state": self.state,
            "staged_at": self.staged_at,
            "published_at": self.published_at,
            "failed": [
                {"name": r.name, "status": r.status.value, "violations": r.violations}
                for r in self.failed
            ],
        }


def version_history(store: Store, dataset: str, partition: str | None) -> list[VersionRecord]:
    """All staged versions of a partition, latest first."""
    publication = store.published(dataset, partition)
    return [version_record(store, v, publication) for v in store.versions(dataset, partition)]


def version_record(
    store: Store, version: Version, publication: Publication | None
) -> VersionRecord:
    """Facts that the store has about one version.

    Args:
        store: the store.
        version: a staged version.
        publication: the published pointer of its partition.

    """
    verdict = store.verdict(version)
    seen = publication is not None and publication.version == version.id
    staged = datetime.fromtimestamp(store.staged_at(version), UTC)
    return VersionRecord(
        version=version,
        state=_state(version, publication, verdict),
        staged_at=staged.isoformat(timespec="seconds"),
        published_at=publication.published_at if publication is not None and seen else None,
        verdict=verdict,
    )


def find_version(store: Store, dataset: str, partition: str | None, name: str) -> Version:
    """The version that a person means: by its id, the beginning of it, or a word.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.
        name: an id, at least four characters of its beginning, ``published`` (readers see it),
            ``previous`` (published before that one) or ``latest`` (staged last).

    Raises:
        StoreError: no version, or more than one, is meant.

    """
    place = str(Version(dataset, partition, "")).removesuffix("@")
    known = [v.id for v in store.versions(dataset, partition)]
    if name == "latest":
        return store.staged_version(dataset, partition)
    if name == "published":
        return store.published_version(dataset, partition)
    if name == "previous":
        publication = store.published(dataset, partition)
        before = () if publication is None else publication.history
        if not before:
            msg = f"{place} has no version that was published before the current one"
            raise StoreError(msg)
        name = before[0]
    if name in known:
        return Version(dataset, partition, name)
    begin = [v for v in known if v.startswith(name)] if len(name) >= SHORTEST else []
    if len(begin) == 1:
        return Version(dataset, partition, begin[0])
    if begin:
        msg = f"several versions of {place} begin with {name!r}: {', '.join(begin)}"
        raise StoreError(msg)
    msg = f"{place} has no version {name!r}{_instead(name, known, place)}"
    raise StoreError(msg)


def find_partition(store: Store, dataset: str, partition: str | None) -> str | None:
    """The partition that a person means; that of a dataset with a single one need not be named.

    Raises:
        StoreError: the dataset or the partition is not in the store.

    """
    known = store.datasets()
    if dataset not in known:
        hint = closest(dataset, known).hint or f"; the store has {', '.join(known) or 'nothing'}"
        msg = f"there is no dataset {dataset!r} in {store.root}{hint}"
        raise StoreError(msg)
    keys = store.staged_partitions(dataset)
    if partition in keys:
        return partition
    named = [k for k in keys if k is not None]
    if partition is not None:
        hint = closest(partition, named).hint if named else "; it has no partitions"
        msg = f"{dataset} has no partition {partition!r}{hint}"
        raise StoreError(msg)
    if len(named) == 1:
        return named[0]
    msg = f"{dataset} is partitioned: give --partition KEY, one of {', '.join(named)}"
    raise StoreError(msg)


def _instead(name: str, known: Sequence[str], place: str) -> str:
    words = ("latest", "published", "previous")
    near = closest(name, [*words, *known])
    if near.word is not None:
        return near.hint
    return f"; `spatial-pipeline history {place.partition('[')[0]}` lists all"


def _state(version: Version, publication: Publication | None, verdict: Verdict | None) -> State:
    if publication is not None:
        if publication.version == version.id:
            return "published"
        if version.id in publication.withdrawn:
            return "withdrawn"
        if version.id in publication.history:
            return "published before"
    if verdict is None:
        return "not checked"
    return "passed" if verdict.passed else "held"

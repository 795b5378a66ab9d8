"""History of a dataset from the store alone: its versions, their verdicts and publications."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.report.trend import VersionRecord
from spatial_pipeline.store.publication_notes import published_times
from spatial_pipeline.store.versions import Store

MAX_VERSIONS = 100
"""Versions of one partition in a history: the latest."""


@dataclass(frozen=True)
class History:
    """The versions of one partition.

    Attributes:
        versions: oldest first.
        readers_see: the published version and since when, for people; None when there is none.

    """

    versions: tuple[VersionRecord, ...]
    readers_see: str | None = None


def history_of(
    store: Store, dataset: str, partition: str | None, most: int = MAX_VERSIONS
) -> History:
    """The history of one partition; versions that were pruned are not in it.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.
        most: number of versions: the latest.

    """
    publication = _published(store, dataset, partition)
    times = published_times(store.folder(dataset, partition))
    found = store.versions(dataset, partition)[:most]
    versions = tuple(_record(store, v, publication, times.get(v.id)) for v in reversed(found))
    if publication is None:
        return History(versions, "nothing yet")
    return History(versions, f"{publication.version}, since {publication.published_at}")


def _record(
    store: Store, version: Version, publication: Publication | None, published_at: str | None
) -> VersionRecord:
    verdict = store.verdict(version)
    current = publication is not None and publication.version == version.id
    return VersionRecord(
        version=version.id,
        staged_at=_iso(store.staged_at(version)),
        checked_at=None if verdict is None else verdict.checked_at,
        passed=None if verdict is None else verdict.passed,
        violations={} if verdict is None else {r.name: r.violations for r in verdict.results},
        published_at=publication.published_at if publication and current else published_at,
        withdrawn=publication is not None and version.id in publication.withdrawn,
        current=current,
    )


def _published(store: Store, dataset: str, partition: str | None) -> Publication | None:
    try:
        return store.published(dataset, partition)
    except StoreError:
        return None


def _iso(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).isoformat(timespec="seconds")

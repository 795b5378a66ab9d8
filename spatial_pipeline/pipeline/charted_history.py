"""History of a dataset for the charts of a page, from the store alone."""

from __future__ import annotations

from dataclasses import dataclass

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication
from spatial_pipeline.pipeline.version_history import version_record
from spatial_pipeline.report.trend import ChartedVersion
from spatial_pipeline.store.publication_notes import published_times
from spatial_pipeline.store.versions import Store

MAX_VERSIONS = 100
"""Versions of one partition in a history: the latest."""


@dataclass(frozen=True)
class ChartedHistory:
    """The versions of one partition.

    Attributes:
        versions: oldest first.
        readers_see: the published version and since when, for people; None when there is none.

    """

    versions: tuple[ChartedVersion, ...]
    readers_see: str | None = None


def charted_history(
    store: Store, dataset: str, partition: str | None, most: int = MAX_VERSIONS
) -> ChartedHistory:
    """The history of one partition; versions that were pruned are not in it.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.
        most: number of versions: the latest.

    """
    publication = _published(store, dataset, partition)
    times = published_times(store.folder(dataset, partition))
    versions = []
    for version in reversed(store.versions(dataset, partition)[:most]):
        record = version_record(store, version, publication)
        results = () if record.verdict is None else record.verdict.results
        charted = ChartedVersion(
            version.id,
            record.state,
            record.staged_at,
            record.verdict is not None,
            {r.name: r.violations for r in results},
            record.published_at or times.get(version.id),
        )
        versions.append(charted)
    if publication is None:
        return ChartedHistory(tuple(versions), "nothing yet")
    since = f"{publication.version}, since {publication.published_at}"
    return ChartedHistory(tuple(versions), since)


def _published(store: Store, dataset: str, partition: str | None) -> Publication | None:
    try:
        return store.published(dataset, partition)
    except StoreError:
        return None

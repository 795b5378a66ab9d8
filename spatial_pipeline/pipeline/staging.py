"""Stages sources: of datasets, and of the other data that rules compare them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from spatial_pipeline import ingest
from spatial_pipeline.contract.database_url import redacted
from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.errors import ReaderFailedError
from spatial_pipeline.ingest.probe import probe
from spatial_pipeline.model.version import Staging, Version
from spatial_pipeline.runtime.cancellation import between
from spatial_pipeline.runtime.hashing import fingerprint
from spatial_pipeline.runtime.malloc import give_back
from spatial_pipeline.sources.fingerprint import uri_of
from spatial_pipeline.store.root_files import OTHERS
from spatial_pipeline.store.versions import Store

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Stager:
    """Stages sources in a store, within the bounds of what may be read.

    Attributes:
        store: where versions live.
        allowed_sources: see ``Settings.allowed_sources``.
        database_url: see ``Settings.database_url``.
        limits: bounds of sources on other machines.
        cage: bounds of the processes that read files.

    """

    store: Store
    allowed_sources: tuple[str, ...] | None = None
    database_url: str | None = field(default=None, repr=False)
    limits: ingest.TransferLimits = ingest.DEFAULTS
    cage: ingest.CageLimits = field(default_factory=ingest.CageLimits)

    def stage(
        self,
        name: str,
        kind: Kind,
        source: Source,
        partition: str | None,
        base: Path,
        progress: Progress | None = None,
        twin: Version | None = None,
        overview: int = 0,
    ) -> Version:
        """Stages a source under a name; reuses ``twin`` if its content is the same.

        An ``overview`` (from 1) of a raster is staged under the name that the raster has.
        """
        store = self.store
        place = None if name == OTHERS else partition
        known = partial(store.remembered, name, place)
        where = (base, self.allowed_sources, self.database_url, self.limits)
        # Taken before the source is read, so that a later change is seen at the next look.
        glance = (self.allowed_sources, self.limits, self.database_url)
        seen = probe(source, base, partition, *glance).seen
        with ingest.opened(
            kind, source, partition, *where, known, progress, self.cage, overview
        ) as found:
            if twin is not None and twin.id == found.version_id:
                return twin
            version = Version(name, place, found.version_id)
            staging = Staging(version.id, source.ingest_key, seen)
            try:
                store.stage(version, lambda f: found.ingest(f, between(progress)), staging)
            except ReaderFailedError as exc:
                return _stage_failure(store, version, kind, source, str(exc))
            give_back()
            if found.proof is not None:
                store.remember(version, found.proof)
        return version


def _stage_failure(
    store: Store, version: Version, kind: Kind, source: Source, error: str
) -> Version:
    """Stages the reason why a source cannot be read, under a unique name: the next run retries."""
    name = fingerprint("reader failed", version.id, error)
    failed = replace(version, id=name)
    shown = redacted(uri_of(source, version.partition))
    store.stage(failed, lambda f: ingest.unreadable(kind, shown, source.layer, error, f))
    return failed

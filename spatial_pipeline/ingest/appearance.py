"""What a source looks like from outside: enough to notice that it changed, without reading it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spatial_pipeline import versions
from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.models import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.fingerprint import INGEST_VERSION, stamp, uri_of
from spatial_pipeline.ingest.source import resolve


def glance(
    source: Source, partition: str | None, base: Path, allowed: Sequence[str] | None = None
) -> str | None:
    """Digest of the names, sizes and times of change of a source's files.

    Args:
        source: URI, layer and condition.
        partition: fills ``{partition}`` in the URI.
        base: folder that a relative URI is relative to.
        allowed: see :func:`spatial_pipeline.ingest.resolve`.

    Returns:
        None for a database: whether its rows changed cannot be told without reading them.

    """
    uri = uri_of(source, partition)
    if is_database(uri):
        return None
    resolved = resolve(uri, base, allowed)
    try:
        seen = stamp(resolved)
    except SourceError as exc:
        return versions.fingerprint("error", uri, str(exc))
    return versions.fingerprint(uri, resolved.error, [[f.name, s, t] for f, s, t in seen])


def ingest_key(source: Source) -> str:
    """Fingerprint of the source options of a contract and of the ingest code."""
    return versions.fingerprint(source.model_dump(mode="json"), INGEST_VERSION)

"""Source → staged version: fetch, fingerprint, vector → GeoParquet, raster → COG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from spatial_pipeline.contract.models import Source
from spatial_pipeline.ingest.fingerprint import INGEST_VERSION, fingerprint, uri_of, version_id
from spatial_pipeline.ingest.raster import ingest_raster
from spatial_pipeline.ingest.source import Resolved, resolve
from spatial_pipeline.ingest.vector import ingest_vector
from spatial_pipeline.versions import Kind, Profile


def ingest(
    kind: Kind,
    source: Source,
    partition: str | None,
    base: Path,
    folder: Path,
    allowed: Sequence[str] | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Profile:
    """Stages a source: writes ``folder/data.parquet`` or ``folder/data.tif``.

    Args:
        kind: what the contract says the source is.
        source: URI, layer and condition.
        partition: fills ``{partition}`` in the URI.
        base: folder that a relative URI is relative to.
        folder: existing, empty folder to write to.
        allowed: see :func:`resolve`.
        progress: called with what is done and the total, None when unknown: features of a vector,
            windows of a raster.

    Returns:
        The profile. A source that cannot be read gives a profile with ``error`` and an empty
        ``data.parquet``, or no ``data.tif``; this function does not raise for it.

    Raises:
        OSError: the folder cannot be written.
        StoreError: what was written is not what was read.

    """
    resolved = resolve(uri_of(source, partition), base, allowed)
    if kind == "vector":
        return ingest_vector(source, resolved, folder, progress)
    return ingest_raster(source, resolved, folder, progress)


__all__ = ["INGEST_VERSION", "Resolved", "fingerprint", "ingest", "resolve", "version_id"]

"""Fingerprint that names a version: a hash of source bytes, ingest options and ingest code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.remote_url import is_web
from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.vocabulary import INGEST_VERSION, Kind
from spatial_pipeline.errors import SourceError
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline.runtime import hashing
from spatial_pipeline.sources.delivery import delivery_of
from spatial_pipeline.sources.local import SourceFiles, resolve
from spatial_pipeline.sources.stamp import last_change

_CHUNK = 1 << 20


def fingerprint(resolved: SourceFiles) -> str:
    """SHA-256 over the names and bytes of all files of a source.

    Names are relative to the folder of the first file, so a moved source keeps its fingerprint.
    A source that is missing or refused has the fingerprint of its URI and its error.

    Raises:
        SourceError: a file cannot be read, or changed while it was read.

    """
    digest = hashlib.sha256()
    if resolved.error is not None:
        digest.update(f"error\0{resolved.uri}\0{resolved.error}".encode())
        return digest.hexdigest()
    root = resolved.files[0].parent
    digest.update(f"{resolved.member}\0".encode())
    for file in resolved.files:
        if file.is_dir():
            continue
        name = os.path.relpath(file, root)
        digest.update(f"{name}\0".encode(errors="surrogateescape"))
        digest.update(_digest(file))
    return digest.hexdigest()


def version_id(
    kind: Kind,
    source: Source,
    partition: str | None,
    base: Path,
    allowed: Sequence[str] | None = None,
) -> str:
    """Content name of the version that :func:`spatial_pipeline.ingest.ingest` would write.

    A source that cannot be read has a name too: that of its error.
    """
    uri = uri_of(source, partition)
    delivery = delivery_of(uri, partition, base, allowed) if source.with_delivery else None
    resolved = resolve(uri, base, allowed)
    changed = last_change(resolved) if source.with_time else None
    return name_of(kind, source, resolved, delivery, changed)


def name_of(
    kind: Kind,
    source: Source,
    resolved: SourceFiles,
    delivery: Delivery | None = None,
    changed: str | None = None,
) -> str:
    """Content name of the version that these files make.

    Args:
        kind: kind of data by the contract.
        source: options of ingest.
        resolved: the files.
        delivery: what they came with, where a rule judges it.
        changed: time of their last change, where a rule judges it.

    """
    try:
        content = fingerprint(resolved)
    except SourceError as exc:
        content = f"error: {exc}"
    beside: tuple[object, ...] = () if delivery is None else (delivery.files, delivery.error)
    beside += () if changed is None else (changed,)
    return hashing.fingerprint(
        content, source.layer, source.where, source.encoding, INGEST_VERSION, kind, *beside
    )


def uri_of(source: Source, partition: str | None) -> str:
    """The URI with its partition filled in."""
    if partition is None:
        return source.uri
    # A key must not become another parameter of an address.
    quoted = is_database(source.uri) or is_web(source.uri)
    value = quote(partition, safe="") if quoted else partition
    return source.uri.replace("{partition}", value)


def _digest(file: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            before = os.fstat(opened.fileno())
            size = 0
            while chunk := opened.read(_CHUNK):
                size += len(chunk)
                digest.update(chunk)
            after = os.fstat(opened.fileno())
    except OSError as exc:
        msg = f"{file.name}: {exc.strerror or exc}"
        raise SourceError(msg) from exc
    if size != before.st_size or (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ):
        msg = f"{file.name} changed while it was read"
        raise SourceError(msg)
    return digest.digest()

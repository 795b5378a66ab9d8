"""Opens sources, names their versions, and has them staged.

Files are staged in the cage (see ``ingest.cage``), tables of a database in this process.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spatial_pipeline.contract.database_url import Address, admit, is_database, parse, redacted
from spatial_pipeline.contract.remote_url import is_remote
from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.vocabulary import INGEST_VERSION, Kind
from spatial_pipeline.errors import ReaderFailedError, SourceError, SourceLostError
from spatial_pipeline.ingest.cage import client
from spatial_pipeline.ingest.cage.job import ReadJob
from spatial_pipeline.ingest.cage.limits import DEFAULTS as CAGE
from spatial_pipeline.ingest.cage.limits import CageLimits
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.runtime import hashing
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.sources.delivery import delivery_of, fetched_delivery
from spatial_pipeline.sources.fingerprint import name_of, uri_of
from spatial_pipeline.sources.fingerprint import version_id as file_version_id
from spatial_pipeline.sources.limits import DEFAULTS, TransferLimits
from spatial_pipeline.sources.local import SourceFiles, resolve, resolve_fetched
from spatial_pipeline.sources.stamp import last_change

if TYPE_CHECKING:
    from spatial_pipeline.ingest.postgis.source import SnapshotTable

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class OpenedSource:
    """A source as it is now.

    Attributes:
        version_id: content name of the version that ``ingest`` writes.
        ingest: writes ``data.parquet`` or ``data.tif`` into an existing, empty folder and returns
            the profile; see :func:`ingest`.
        proof: of a source on another machine: what it says of itself, with the options of ingest;
            the same proof again means the same version. None where nothing does.

    """

    version_id: str
    ingest: Callable[[Path, Progress | None], Profile]
    proof: str | None = None


@contextmanager
def opened(
    kind: Kind,
    source: Source,
    partition: str | None,
    base: Path,
    allowed: Sequence[str] | None = None,
    database: str | None = None,
    limits: TransferLimits = DEFAULTS,
    known: Callable[[str], str | None] = lambda _proof: None,
    progress: Progress | None = None,
    cage: CageLimits = CAGE,
    overview: int = 0,
) -> Iterator[OpenedSource]:
    """Looks at a source: what version it is now, and how to stage it.

    A table is named and read in one snapshot, so the version is what was named, whoever writes to
    the table meanwhile. A source on another machine is brought here first, unless ``known`` tells
    its version.

    Args:
        kind: kind of data by the contract.
        source: URI, layer, query and condition.
        partition: fills ``{partition}`` in the URI.
        base: folder that a relative URI is relative to.
        allowed: see :func:`resolve` and :func:`spatial_pipeline.contract.database_url.admit`.
        database: SPATIAL_DATABASE_URL, which the URI ``postgresql:`` means.
        limits: limits of the transfer of a remote source.
        known: the version that a proof was of, None when it is not known or not staged any more.
        progress: called with the bytes that came and their total, None when unknown.
        cage: limits of the process that reads files.
        overview: 1-based overview of a raster to stage in its place; the name stays that of the
            raster.

    Raises:
        SourceLostError: a source on another machine changed, or went away, on its way here.

    """
    uri = uri_of(source, partition)
    if is_database(uri):
        with _opened_table(kind, source, uri, allowed, database) as reading:
            yield reading
        return
    if is_remote(uri):
        with _opened_remote(
            kind, source, partition, allowed, limits, known, progress, cage, overview
        ) as reading:
            yield reading
        return
    name = file_version_id(kind, source, partition, base, allowed)
    delivery = delivery_of(uri, partition, base, allowed) if source.with_delivery else None
    changed = last_change(resolve(uri, base, allowed)) if source.with_time else None

    def stage(folder: Path, progress: Progress | None) -> Profile:
        profile = _stage_caged(
            kind, source, resolve(uri, base, allowed), folder, progress, cage, overview
        )
        if file_version_id(kind, source, partition, base, allowed) != name:
            msg = f"{uri} changed while it was read: run again"
            raise SourceLostError(msg)
        return replace(profile, delivery=delivery, changed=changed)

    yield OpenedSource(name, stage)


def version_id(
    kind: Kind,
    source: Source,
    partition: str | None,
    base: Path,
    allowed: Sequence[str] | None = None,
    database: str | None = None,
) -> str:
    """Content name of the version that :func:`ingest` would write now; see :func:`opened`.

    A source that cannot be read has a name too: that of its error.
    """
    with opened(kind, source, partition, base, allowed, database) as reading:
        return reading.version_id


def ingest(
    kind: Kind,
    source: Source,
    partition: str | None,
    base: Path,
    folder: Path,
    allowed: Sequence[str] | None = None,
    progress: Progress | None = None,
    database: str | None = None,
    cage: CageLimits = CAGE,
) -> Profile:
    """Stages a source: writes ``folder/data.parquet`` or ``folder/data.tif``.

    Args:
        kind: kind of data by the contract.
        source: URI, layer, query and condition.
        partition: fills ``{partition}`` in the URI.
        base: folder that a relative URI is relative to.
        folder: existing, empty folder to write to.
        allowed: see :func:`opened`.
        progress: called with what is done and the total, None when unknown: features of a vector,
            windows of a raster.
        database: see :func:`opened`.
        cage: see :func:`opened`.

    Returns:
        The profile. A source that cannot be read gives a profile with ``error`` and an empty
        ``data.parquet``, or no ``data.tif``; this function does not raise for it.

    Raises:
        OSError: the folder cannot be written.
        StoreError: the staged data differ from the source.
        SourceLostError: the server of a table disappeared while it was read.

    """
    with opened(
        kind, source, partition, base, allowed, database, progress=progress, cage=cage
    ) as reading:
        try:
            return reading.ingest(folder, progress)
        except ReaderFailedError as exc:
            shown = redacted(uri_of(source, partition))
            return unreadable(kind, shown, source.layer, str(exc), folder)


def counted_table(
    source: Source, partition: str | None, allowed: Sequence[str] | None, database: str | None
) -> VectorProfile:
    """The number of rows of a table, counted by its server; nothing else is asked.

    Args:
        source: URI and layer of a table; see :func:`opened` for the others.
        partition: fills ``{partition}`` in the URI.
        allowed: see :func:`opened`.
        database: see :func:`opened`.

    Raises:
        SourceError: the server, the table or the permission is missing.

    """
    uri = uri_of(source, partition)
    address, layer = _table(source, uri, database)
    admit(address, layer, allowed)
    # Drivers of databases, clients of servers and readers of files are loaded where they are used.
    from spatial_pipeline.ingest.postgis.source import count_rows

    name, count = count_rows(address, layer, source.query)
    return VectorProfile(uri=redacted(uri), layer=name, count=count)


def unreadable(kind: Kind, uri: str, layer: str | None, error: str, folder: Path) -> Profile:
    """Stages a source that cannot be read: no data, and the error in the profile."""
    from spatial_pipeline.ingest.files import stage_files

    source = SourceFiles(uri=uri, path="", error=error)
    return stage_files(kind, ReadOptions(layer=layer), source, folder)


def _stage_caged(
    kind: Kind,
    source: Source,
    resolved: SourceFiles,
    folder: Path,
    progress: Progress | None,
    cage: CageLimits,
    overview: int,
) -> Profile:
    """Stages files in the cage.

    Raises:
        ReaderFailedError: the process that read them died or was stopped; the folder is empty.

    """
    if resolved.error is not None:
        return unreadable(kind, resolved.uri, source.layer, resolved.error, folder)
    options = ReadOptions(
        source.layer, source.encoding, source.where, cage.pixels_per_byte, overview
    )
    try:
        return client.stage(
            ReadJob(kind, resolved, options, str(folder.absolute()), cage), progress
        )
    except ReaderFailedError as exc:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        msg = f"{resolved.files[0].name}: {exc}"
        raise ReaderFailedError(msg) from exc


@contextmanager
def _opened_remote(
    kind: Kind,
    source: Source,
    partition: str | None,
    allowed: Sequence[str] | None,
    limits: TransferLimits,
    known: Callable[[str], str | None],
    progress: Progress | None,
    cage: CageLimits,
    overview: int,
) -> Iterator[OpenedSource]:
    from spatial_pipeline.sources.transfer import remote

    uri = uri_of(source, partition)
    shown = redacted(uri)
    with ExitStack() as stack:
        temporary = stack.enter_context(temporary_folder())
        try:
            found = stack.enter_context(remote(uri, allowed, limits))
            proof = None
            changed = found.last_change if source.with_time else None
            beside = (*source.beside, changed) if source.beside else ()
            if found.proof is not None:
                proof = hashing.fingerprint(
                    uri,
                    found.proof,
                    source.layer,
                    source.where,
                    source.encoding,
                    INGEST_VERSION,
                    kind,
                    *beside,
                )
            staged = None if proof is None else known(proof)
            if staged is None:
                file = found.fetch(temporary, progress)
                resolved = resolve_fetched(shown, file, found.url.member)
                delivery = (
                    fetched_delivery(file, resolved.member, partition)
                    if source.with_delivery
                    else None
                )
        except SourceError as exc:
            name = shown.partition("?")[0].rpartition("/")[2]
            reason = str(exc) if name in str(exc) else f"{name}: {exc}"
            yield _unreadable(kind, source, shown, reason)
            return
        if staged is not None:
            yield OpenedSource(staged, _nothing_to_write(shown), proof)
            return

        def write(folder: Path, progress: Progress | None) -> Profile:
            profile = _stage_caged(kind, source, resolved, folder, progress, cage, overview)
            error = profile.error and "; ".join((profile.error, *found.notes))
            notes = (*profile.notes, *found.notes)
            profile = replace(profile, error=error, notes=notes)
            return replace(profile, delivery=delivery, changed=changed)

        name = name_of(kind, source, resolved, delivery, changed)
        yield OpenedSource(name, write, proof)


def _nothing_to_write(shown: str) -> Callable[[Path, Progress | None], Profile]:
    def write(_folder: Path, _progress: Progress | None) -> Profile:
        msg = f"the staged version of {shown} was removed meanwhile: run again"
        raise SourceLostError(msg)

    return write


@contextmanager
def _opened_table(
    kind: Kind, source: Source, uri: str, allowed: Sequence[str] | None, database: str | None
) -> Iterator[OpenedSource]:
    from spatial_pipeline.ingest.postgis.source import open_table

    shown = redacted(uri)
    with ExitStack() as stack:
        try:
            if kind != "vector":
                msg = f"{shown} is a database: a {kind} dataset needs a file"
                raise SourceError(msg)
            address, layer = _table(source, uri, database)
            admit(address, layer, allowed)
            table = stack.enter_context(open_table(address, layer, source.query))
        except SourceError as exc:
            reading = _unreadable(kind, source, shown, str(exc))
        else:
            reading = _readable(source, shown, table)
        yield reading


def _table(source: Source, uri: str, database: str | None) -> tuple[Address, str | None]:
    """The database, and the one table that the URI or the layer names."""
    address = parse(uri, database)
    given = [g for g in (address.place.table, source.layer, source.query) if g is not None]
    if len(given) > 1:
        msg = "name one of: ?table= in the uri, layer, query"
        raise SourceError(msg)
    return address, address.place.table or source.layer


def _readable(source: Source, shown: str, table: SnapshotTable) -> OpenedSource:
    profile = VectorProfile(uri=shown, layer=table.name)

    def write(folder: Path, progress: Progress | None) -> Profile:
        from spatial_pipeline.ingest.vector import ingest_layer

        return ingest_layer(profile, table.open_layer(), source.where, folder, progress)

    content = hashing.fingerprint(table.content, table.name, source.where, INGEST_VERSION)
    return OpenedSource(content, write)


def _unreadable(kind: Kind, source: Source, shown: str, error: str) -> OpenedSource:
    def write(folder: Path, _progress: Progress | None) -> Profile:
        return unreadable(kind, shown, source.layer, error, folder)

    return OpenedSource(hashing.fingerprint("error", shown, error, INGEST_VERSION, kind), write)


__all__ = [
    "DEFAULTS",
    "CageLimits",
    "OpenedSource",
    "SourceFiles",
    "TransferLimits",
    "counted_table",
    "ingest",
    "opened",
    "resolve",
    "unreadable",
    "version_id",
]

"""Change tokens of sources, computed without reading them, for sensors that ask often.

A state costs a look at a folder, a HEAD request, a listing or a question to a database, never a
download. It is coarser than
the fingerprint that names a version: a file that is only touched has a new state and the same
version, so a run that a state starts may find that there is nothing to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatial_pipeline.contract.database_url import is_database, redacted
from spatial_pipeline.contract.remote_url import is_remote
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError, SourceUnreachableError
from spatial_pipeline.runtime import hashing
from spatial_pipeline.sources import archive
from spatial_pipeline.sources.delivery import delivery_of
from spatial_pipeline.sources.fingerprint import uri_of
from spatial_pipeline.sources.limits import DEFAULTS, TransferLimits
from spatial_pipeline.sources.local import place_of, resolve, split_member
from spatial_pipeline.sources.stamp import stamp

PARTITION = "{partition}"


@dataclass(frozen=True)
class SourceState:
    """A source as it is now.

    Attributes:
        token: changes when the source changes; None exactly when there is an error.
        error: why there is no token: the source is missing, refused or unreadable.
        lost: nothing is known of the source, since the server did not answer or cannot tell; a
            source that is gone has an error, and is not lost.

    """

    token: str | None = None
    error: str | None = None
    lost: bool = False

    @property
    def seen(self) -> str | None:
        """Value to compare with at the next look: the token, or the error in its place.

        None when nothing is known.
        """
        if self.token is not None or self.lost:
            return self.token
        return hashing.fingerprint("error", self.error)


def probe(
    source: Source,
    base: Path,
    partition: str | None = None,
    allowed: Sequence[str] | None = None,
    limits: TransferLimits = DEFAULTS,
    database: str | None = None,
) -> SourceState:
    """The state of a source; this function does not raise for a bad source.

    Args:
        source: the source; layer and query matter where it is a database.
        base: folder that a relative URI is relative to.
        partition: fills ``{partition}`` in the URI.
        allowed: see :func:`spatial_pipeline.ingest.opened`.
        limits: limits of requests to other machines.
        database: SPATIAL_DATABASE_URL, which the URI ``postgresql:`` means.

    """
    ((_, state),) = probe_each(source, base, [partition], allowed, limits, database)
    return state


def probe_each(
    source: Source,
    base: Path,
    partitions: Sequence[str | None],
    allowed: Sequence[str] | None = None,
    limits: TransferLimits = DEFAULTS,
    database: str | None = None,
) -> Iterator[tuple[str | None, SourceState]]:
    """The states of the partitions of a source, tables over one connection a server.

    Args:
        source: the source; layer and query matter where it is a database.
        base: folder that a relative URI is relative to.
        partitions: keys that are filled in; ``[None]`` without partitions.
        allowed: see :func:`spatial_pipeline.ingest.opened`.
        limits: limits of requests to other machines.
        database: SPATIAL_DATABASE_URL, which the URI ``postgresql:`` means.

    Yields:
        Every partition with its state, in no order.

    """
    if not is_database(source.uri):
        for partition in partitions:
            yield partition, _state(source, partition, base, allowed, limits)
        return
    # Only now, since most datasets come from no database.
    from spatial_pipeline.ingest.postgis.probe import table_tokens

    for partition, token in table_tokens(source, partitions, allowed, database):
        if isinstance(token, SourceError):
            yield partition, SourceState(error=str(token), lost=True)
        else:
            yield partition, SourceState(token=token)


def _state(
    source: Source,
    partition: str | None,
    base: Path,
    allowed: Sequence[str] | None,
    limits: TransferLimits,
) -> SourceState:
    uri = uri_of(source, partition)
    if is_remote(uri):
        # Clients of web servers and object stores are loaded for those who use them.
        from spatial_pipeline.sources.transfer import remote_state

        try:
            return SourceState(token=remote_state(uri, allowed, limits))
        except SourceError as exc:
            return SourceState(error=str(exc), lost=isinstance(exc, SourceUnreachableError))
    return _local_state(source, partition, base, allowed)


def list_keys(
    source: Source,
    base: Path,
    allowed: Sequence[str] | None = None,
    limits: TransferLimits = DEFAULTS,
) -> dict[str, str]:
    """Partition keys that exist now, each with a token that changes when its source changes.

    A key that is there and cannot be read has a token too: that of its error.

    Args:
        source: its URI has ``{partition}``, which stands for one or more characters without a
            slash; where it occurs twice, it is the same key.
        base: folder that a relative URI is relative to.
        allowed: see :func:`spatial_pipeline.ingest.opened`.
        limits: limits of requests to other machines.

    Raises:
        SourceError: the URI has no ``{partition}``, or its keys cannot be listed.
        SourceUnreachableError: the object store does not answer.

    """
    uri = source.uri
    if PARTITION not in uri:
        msg = f"{redacted(uri)} has no {PARTITION}"
        raise SourceError(msg)
    if is_database(uri):
        msg = f"{redacted(uri)} is a database: its partitions cannot be listed"
        raise SourceError(msg)
    if is_remote(uri):
        from spatial_pipeline.sources.transfer import remote_keys

        return remote_keys(uri, key_of, PARTITION, allowed, limits)
    tokens = {}
    for key in sorted(_local_keys(uri, base, allowed)):
        state = _local_state(source, key, base, allowed)
        tokens[key] = state.token or hashing.fingerprint("error", state.error)
    return tokens


def _local_state(
    source: Source, partition: str | None, base: Path, allowed: Sequence[str] | None
) -> SourceState:
    """Names, sizes and times of change of all files of a source, sidecars included.

    Where a rule judges them, the names of the files beside them, too.
    """
    uri = uri_of(source, partition)
    resolved = resolve(uri, base, allowed)
    if resolved.error is not None:
        return SourceState(error=resolved.error)
    try:
        found = stamp(resolved)
    except SourceError as exc:
        return SourceState(error=str(exc))
    root = resolved.files[0].parent
    files = [[os.path.relpath(f, root), s, t] for f, s, t in found]
    beside: tuple[object, ...] = ()
    if source.with_delivery:
        delivery = delivery_of(uri, partition, base, allowed)
        beside = (delivery.files, delivery.error)
    return SourceState(token=hashing.fingerprint(resolved.member, files, *beside))


def _local_keys(uri: str, base: Path, allowed: Sequence[str] | None) -> set[str]:
    """Keys whose named file exists; no folder outside of the allowed sources is listed."""
    name, member = split_member(uri)
    path = place_of(name, base, allowed, listed=PARTITION)
    found: set[str] = set()
    anchor = Path(path.anchor)
    for file, key in _matching(anchor, path.relative_to(anchor).parts, None):
        if member is not None and PARTITION in member and file.is_file():
            found |= _member_keys(file, member, key)
        elif key is not None:
            found.add(key)
    return found


def _matching(
    folder: Path, parts: Sequence[str], key: str | None
) -> Iterator[tuple[Path, str | None]]:
    """Paths below a folder that fit the parts of a pattern, and the key that makes them fit."""
    if not parts:
        yield folder, key
        return
    part, rest = parts[0], parts[1:]
    if PARTITION not in part or key is not None:
        below = folder / (part if key is None else part.replace(PARTITION, key))
        if below.exists():
            yield from _matching(below, rest, key)
        return
    if not folder.is_dir():
        return
    for below in sorted(folder.iterdir()):
        if (found := key_of(part, below.name)) is not None:
            yield from _matching(below, rest, found)


def _member_keys(file: Path, member: str, key: str | None) -> set[str]:
    with archive.opened(file) as opened:
        keys = {key_of(member, name) for name in opened.namelist()}
    return {k for k in keys if k is not None and key in {None, k}}


def key_of(pattern: str, name: str) -> str | None:
    """The key that makes a name of a pattern; None when there is none."""
    first, *others = (re.escape(p) for p in pattern.split(PARTITION))
    expression = first
    for index, other in enumerate(others):
        expression += (r"(?P<key>[^/]+)" if index == 0 else "(?P=key)") + other
    match = re.fullmatch(expression, name)
    return None if match is None else match["key"]

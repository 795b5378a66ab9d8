"""Lists what a source was delivered with: the files of its folder, or the members of its archive.

Only names: the contents of the other files are neither read nor part of a version.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.remote_url import is_remote
from spatial_pipeline.errors import SourceError
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline.sources import archive
from spatial_pipeline.sources.local import admitted_place, split_member
from spatial_pipeline.sources.sidecars import FOLDERS

_ELSEWHERE = "a database or a folder on another machine is not listed; an archive would be"
MAX_FILES = 100_000
"""Files of a folder that are listed."""


def delivery_of(
    uri: str, partition: str | None, base: Path, allowed: Sequence[str] | None = None
) -> Delivery:
    """The delivery of a source as it is now; this function does not raise for a bad source.

    Args:
        uri: the source, partition filled in; its file need not exist.
        partition: partition key.
        base: folder that a relative URI is relative to.
        allowed: see :func:`spatial_pipeline.sources.local.resolve`; the folder that is listed, or
            the archive, must lie below an entry.

    """
    try:
        if is_database(uri) or is_remote(uri):
            raise SourceError(_ELSEWHERE)
        return Delivery(_sorted(_names(uri, base, allowed)), partition)
    except (SourceError, OSError, ValueError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        return Delivery(partition=partition, error=f"the delivery cannot be listed: {reason}")


def fetched_delivery(file: Path, member: str | None, partition: str | None) -> Delivery:
    """The delivery of a source that was brought here from another machine.

    Args:
        file: the named file.
        member: member of it that is read; None when it is no archive, whose folder is elsewhere.
        partition: partition key.

    """
    try:
        if member is None:
            raise SourceError(_ELSEWHERE)
        return Delivery(_sorted(_members(file)), partition)
    except SourceError as exc:
        return Delivery(partition=partition, error=f"the delivery cannot be listed: {exc}")


def _names(uri: str, base: Path, allowed: Sequence[str] | None) -> Iterator[str]:
    name, member = split_member(uri)
    if member is not None or archive.named_zip(Path(name)):
        return _members(admitted_place(name, base, allowed))
    return _below(admitted_place(name, base, allowed, folder=True))


def _members(file: Path) -> Iterator[str]:
    with archive.opened(file) as opened:
        names = [i.filename.replace("\\", "/") for i in opened.infolist() if not i.is_dir()]
    yield from names


def _below(folder: Path) -> Iterator[str]:
    """Files below a folder, links not followed; hidden folders hold no part of a delivery."""

    def refuse(error: OSError) -> None:
        raise error

    found = 0
    for at, folders, files in os.walk(folder, onerror=refuse):
        datasets = [f for f in folders if f.casefold().endswith(FOLDERS)]
        folders[:] = [f for f in folders if f not in datasets and not f.startswith(".")]
        found += len(files)
        if found > MAX_FILES:
            msg = f"{folder.name} holds more than {MAX_FILES} files: give it a folder of its own"
            raise SourceError(msg)
        for name in (*files, *datasets):
            yield Path(at, name).relative_to(folder).as_posix()


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    # Names that are no UTF-8 could not be written to a profile.
    text = (os.fsencode(n).decode("utf-8", "backslashreplace") for n in names)
    return tuple(sorted({_entry(name) for name in text}))


def _entry(name: str) -> str:
    """The name; for a file of a dataset that is a folder, that of the folder."""
    parts = PurePosixPath(name).parts
    for depth, part in enumerate(parts, 1):
        if part.casefold().endswith(FOLDERS):
            return "/".join(parts[:depth])
    return name

"""A folder that shows readers the files of one source, and nothing beside them.

Files are links; members of an archive, and databases with a log, are copies. So every format sees
plain local files, a driver that writes beside its file writes nothing beside the source, and one
that looks for further sidecars finds those that the fingerprint knows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity.sqlite import MAGIC
from spatial_pipeline.sources import archive
from spatial_pipeline.sources.local import SourceFiles

FOLDER = ".source"
LOGS = ("-wal", "-journal")


@contextmanager
def viewed(resolved: SourceFiles, folder: Path) -> Iterator[SourceFiles]:
    """The source as plain local files in ``folder/.source``, which is removed at the end.

    Args:
        resolved: the source as it was found.
        folder: existing folder that may be written to.

    Yields:
        The source with ``path`` and ``files`` inside the view; referenced files in other folders
        keep their place.

    Raises:
        SourceError: the source has an error, or a member of an archive is damaged.
        OSError: the folder cannot be written.

    """
    if resolved.error is not None:
        raise SourceError(resolved.error)
    view = folder / FOLDER
    view.mkdir()
    try:
        yield _filled(resolved, view)
    finally:
        shutil.rmtree(view, ignore_errors=True)


def _filled(resolved: SourceFiles, view: Path) -> SourceFiles:
    first = resolved.files[0]
    if resolved.member is not None:
        files = archive.extract(first, resolved.member, view)
        return replace(resolved, path=str(files[0]), files=tuple(files), member=None)
    if first.is_dir():
        (view / first.name).symlink_to(first)
        files = [view / f.relative_to(first.parent) for f in resolved.files]
        return replace(resolved, path=str(view / first.name), files=tuple(files))
    copied = _has_log(resolved)
    shown = []
    for file in resolved.files:
        if file.parent != first.parent:
            shown.append(file)
            continue
        target = view / file.name
        if copied:
            shutil.copyfile(file, target)
        else:
            target.symlink_to(file)
        shown.append(target)
    return replace(resolved, path=str(view / first.name), files=tuple(shown))


def _has_log(resolved: SourceFiles) -> bool:
    """True for a database whose last changes may stand in a log beside it."""
    first = resolved.files[0]
    if not any(f.name == first.name + log for f in resolved.files for log in LOGS):
        return False
    with first.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC

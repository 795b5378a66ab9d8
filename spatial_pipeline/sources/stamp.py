"""Sizes and times of the files of a source, to notice a change while it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from spatial_pipeline.errors import SourceError
from spatial_pipeline.sources.local import SourceFiles

Stamp = tuple[tuple[Path, int, int], ...]


def stamp(resolved: SourceFiles) -> Stamp:
    """Size and time of change of every file of a source; none of one that was not resolved.

    Raises:
        SourceError: a file is gone or may not be looked at.

    """
    if resolved.error is not None:
        return ()
    try:
        found = [(f, f.stat()) for f in resolved.files if not f.is_dir()]
    except OSError as exc:
        raise SourceError(str(exc)) from exc
    return tuple((f, s.st_size, s.st_mtime_ns) for f, s in found)


def last_change(resolved: SourceFiles) -> str | None:
    """Time at which the youngest file of a source was written, ISO 8601 in UTC; None if unknown."""
    try:
        times = [time for _, _, time in stamp(resolved)]
    except SourceError:
        return None
    return datetime.fromtimestamp(max(times) // 10**9, UTC).isoformat() if times else None


def unchanged(resolved: SourceFiles, before: Stamp) -> None:
    """Refuses a source that is not as it was when its stamp was taken.

    Raises:
        SourceError: naming the file that changed.

    """
    for old, new in zip(before, stamp(resolved), strict=False):
        if old != new:
            msg = f"{new[0].name} changed while it was read"
            raise SourceError(msg)

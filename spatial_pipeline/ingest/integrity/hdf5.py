"""HDF5 and netCDF-4 files whose values are in other files: refused by name.

The library follows external links, external storage and virtual datasets wherever they lead, and
no fingerprint of this file would name those bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatial_pipeline.errors import SourceError

MAGIC = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512
"""The signature stands at 0, 512, 1024, 2048 …: behind a block of the user's own."""
_MOST = 1 << 20
"""Positions at which a signature is looked for."""


def refuse_links(file: Path) -> None:
    """Refuses a file that refers to others; does nothing for what is no HDF5 file.

    Raises:
        SourceError: naming the dataset or link and the file that it refers to.

    """
    if not file.is_file() or not _is_hdf5(file):
        return
    # Other formats do without it.
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            _visit(opened, h5py, set())
    except SourceError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, RecursionError) as exc:
        msg = f"not a sound HDF5 file: {' '.join(str(exc).split())[:300]}"
        raise SourceError(msg) from exc


def _is_hdf5(file: Path) -> bool:
    position = 0
    with file.open("rb") as opened:
        while position < _MOST:
            opened.seek(position)
            head = opened.read(len(MAGIC))
            if head == MAGIC:
                return True
            if len(head) < len(MAGIC):
                return False
            position = position * 2 or _USER_BLOCK
    return False


def _visit(group: Any, h5py: Any, seen: set[Any]) -> None:
    """Looks at all links of a group before any is followed."""
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            msg = f"{group.name}/{name} is a link into another file, {link.filename!r}"
            raise SourceError(msg)
        if isinstance(link, h5py.SoftLink):
            continue
        member = group[name]
        if isinstance(member, h5py.Group):
            if member.id not in seen:
                seen.add(member.id)
                _visit(member, h5py, seen)
        elif isinstance(member, h5py.Dataset):
            _look_at(member)


def _look_at(dataset: Any) -> None:
    if dataset.external:
        msg = f"{dataset.name} keeps its values in another file, {dataset.external[0][0]!r}"
        raise SourceError(msg)
    if dataset.is_virtual:
        others = [s.file_name for s in dataset.virtual_sources() if s.file_name != "."]
        if others:
            msg = f"{dataset.name} is a virtual dataset over another file, {others[0]!r}"
            raise SourceError(msg)

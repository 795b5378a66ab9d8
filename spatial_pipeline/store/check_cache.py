"""Cache of checks, stored beside a version: ``<version>/remembered/<check>.npz``.

Whatever is missing, damaged or of another time is as if it had never been there: the check that
asks looks at everything then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.model.hashing import geometry_hash

FOLDER = "remembered"
WORDING = "wording"

Arrays = dict[str, NDArray[Any]]


def identities(version: Path, count: int) -> geometry_hash.Identities | None:
    """Content hashes of the geometries of a version, in staged order; None when not stored.

    Args:
        version: folder of the version.
        count: number of its features.

    """
    try:
        found = np.load(version / geometry_hash.FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = found.shape == (count, 2) and found.dtype == np.uint64
    return found if fits else None


def recalled(version: Path, name: str, wording: str) -> Arrays | None:
    """Cached facts of a check; None when there are none under this cache key.

    Args:
        version: folder of the version.
        name: name of the check.
        wording: cache key of the question.

    """
    try:
        with (
            (version / FOLDER / f"{name}.npz").open("rb") as stored,
            np.load(stored, allow_pickle=False) as file,
        ):
            if str(file[WORDING]) != wording:
                return None
            # Reading a member to its end compares its checksum.
            return {n: file[n] for n in file.files if n != WORDING}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def remember(version: Path, name: str, wording: str, arrays: Mapping[str, Any]) -> None:
    """Leaves something behind, whole or not at all; a store that is full forgets it.

    Args:
        version: folder of the version.
        name: name of the check: letters, digits and underscores.
        wording: cache key of the question.
        arrays: facts to store, by name.

    """
    folder = version / FOLDER
    temporary = folder / f".{name}.{uuid4().hex}.tmp"
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        _sweep(folder)
        try:
            with _locked(temporary) as file:
                np.savez(file, **{WORDING: np.array(wording), **arrays})
                file.flush()
                # Without the lock somebody may sweep it.
                temporary.replace(folder / f"{name}.npz")
        finally:
            temporary.unlink(missing_ok=True)


def forget_unfinished(partition: Path) -> None:
    """Removes what killed processes left half written in all versions of a partition.

    Args:
        partition: folder of the partition.

    """
    for folder in partition.glob(f"*/{FOLDER}"):
        _sweep(folder)


def _locked(path: Path) -> BinaryIO:
    """A new file with a lock, which says to those who sweep that its process lives."""
    while True:
        file = path.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        # Somebody may have swept it before it was locked.
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def _sweep(folder: Path) -> None:
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


__all__ = ["forget_unfinished", "identities", "recalled", "remember"]

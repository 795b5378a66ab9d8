"""Atomic writes: a file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from spatial_pipeline.runtime.json_text import json_text


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Makes the bytes of a file survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path, patterns: Sequence[str]) -> None:
    """Removes what killed processes left; the caller holds the lock that writers hold.

    Args:
        folder: where to look.
        patterns: names of temporary files and folders, as ``Path.glob`` takes them.

    """
    for pattern in patterns:
        for leftover in folder.glob(pattern):
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    leftover.unlink()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON so that a reader sees the former content or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(json_text(value, indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def kept_age(folder: Path) -> Iterator[None]:
    """Restores the times of a folder afterwards: the age of a version is that of its folder."""
    was = folder.stat()
    try:
        yield
    finally:
        os.utime(folder, ns=(was.st_atime_ns, was.st_mtime_ns))


@contextlib.contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Holds an exclusive lock if nobody has it; False when somebody does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

"""Signs of life of runs: one empty file a run, touched while one of its processes lives.

Ages are measured by the clock of the file system that holds the files, so that the clocks of the
machines that run and watch need not agree.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger("spatial_pipeline")
FOLDER = ".heartbeats"
CLOCK = ".clock"
"""File that is touched to ask the file system for the time."""
STEP = ".step"
"""Ending of the file that the steps of a run touch, beside that of its executor."""
INTERVAL_S = 10.0


@contextmanager
def beating(root: Path, name: str, interval_s: float = INTERVAL_S) -> Iterator[None]:
    """Shows that a run lives, for as long as the block; a full disk does not end the run.

    Args:
        root: folder of the store.
        name: id of the run, with :data:`STEP` for one of its steps.
        interval_s: seconds between two signs.

    """
    file = root / FOLDER / name
    stop = threading.Event()

    def beat() -> None:
        told = False
        while True:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
                told = False
            except OSError as exc:
                if not told:
                    logger.warning("the run cannot show that it lives: %s", exc)
                told = True
            if stop.wait(interval_s):
                return

    thread = threading.Thread(target=beat, name="spatial-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=interval_s)


def ages(root: Path) -> dict[str, float]:
    """Name of every run or step that showed that it lives → seconds since the last time."""
    folder = root / FOLDER
    if not folder.is_dir():
        return {}
    clock = folder / CLOCK
    clock.touch()
    now = clock.stat().st_mtime
    found: dict[str, float] = {}
    for file in folder.iterdir():
        if file.name != CLOCK:
            # A run that ends is forgotten by another process at any time.
            with contextlib.suppress(FileNotFoundError):
                found[file.name] = now - file.stat().st_mtime
    return found


def forget(root: Path, names: Iterable[str]) -> None:
    """Removes the files of runs that have ended."""
    for name in names:
        (root / FOLDER / name).unlink(missing_ok=True)

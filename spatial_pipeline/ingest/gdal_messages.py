"""GDAL's warnings, which pyogrio raises as Python warnings and rasterio logs, kept as notes."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MAX_NOTES = 50
"""Warnings kept of one source: a damaged file can give one a feature."""
ABOUT_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning)
"""Warnings that no source gives rise to."""
_LOCK = threading.Lock()
UNREAD = "which is not read"
"""Words of a note on a part of the source that nobody asked for: its damage loses nothing."""
_ABOUT_CALLS = (
    "returns an approximate value of the true nodata value",
    "More than one layer found in",
)
"""Messages about calls, not about the data: nodata is read exactly elsewhere, and a source with
several layers is refused unless one is named."""
_aside = threading.Event()
_LOSSES = re.compile(
    r"corrupt|premature end|parsed incompletely|invalid content for record|unable to read geometry"
    r"|invalid utf-?8|non utf-?8|not valid utf-?8|unexpected end of file"
    r"|truncat|(value|field) .{0,80} (clamped|out of range)|clamped to|lossy"
    r"|skipping (record|feature|this)|cannot parse|failed to (read|parse|decode)"
    r"|discarding \d+ bytes|error (while|when) (reading|decoding)|bad data|decoding error|checksum",
    re.IGNORECASE,
)
"""Words with which GDAL and its libraries say that they changed, dropped or made up something."""


def losses(messages: Iterable[str]) -> list[str]:
    """Those messages that say that something of the source was not read as it stands there."""
    return [m for m in messages if UNREAD not in m and _LOSSES.search(m)]


@contextmanager
def aside() -> Iterator[None]:
    """Keeps no message in the block, from whatever thread: what is read there is not the source."""
    _aside.set()
    try:
        yield
    finally:
        _aside.clear()


@contextmanager
def kept(notes: list[str]) -> Iterator[None]:
    """Appends the warnings of the block to ``notes``, each text once.

    Python's warning filters belong to the process, so only one block runs at a time; keep it
    short.
    """
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                if not issubclass(warning.category, ABOUT_CODE):
                    add(notes, str(warning.message))


@contextmanager
def silenced() -> Iterator[None]:
    """No warnings in the block, in none of its threads: they were kept when it was first opened."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def add(notes: list[str], text: str) -> None:
    """Appends a note unless it is there or there are too many."""
    line = re.sub(r"^CPLE_\w+:", "", " ".join(text.split()))
    if _aside.is_set() or any(words in line for words in _ABOUT_CALLS):
        return
    if line in notes or len(notes) > MAX_NOTES:
        return
    notes.append(line if len(notes) < MAX_NOTES else "further warnings are left out")


class Collector(logging.Handler):
    """Appends the warnings of loggers to notes, those of one thread or of all."""

    def __init__(self, notes: list[str], thread: int | None = None) -> None:
        super().__init__(logging.WARNING)
        self.notes = notes
        self.thread_id = thread

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a warning, and drops it when it comes from another thread."""
        if self.thread_id in (None, record.thread):
            add(self.notes, record.getMessage())


@contextmanager
def logged(notes: list[str], *loggers: str) -> Iterator[None]:
    """Appends what these loggers warn of in this thread to ``notes``."""
    collector = Collector(notes, threading.get_ident())
    found = [logging.getLogger(name) for name in loggers]
    for logger in found:
        logger.addHandler(collector)
    try:
        yield
    finally:
        for logger in found:
            logger.removeHandler(collector)

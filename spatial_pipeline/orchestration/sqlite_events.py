"""Dagster's event logs in SQLite, kept open while a run writes to them.

Dagster opens a connection for each event. The one that closes last writes the whole write-ahead log
back into the database and deletes it, which takes longer than the event itself: of a small run,
three quarters of the time were spent there. A further connection, which only waits, leaves that to
the end of the run.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME


@contextlib.contextmanager
def event_files_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Keeps the event log of a run, and the index of all runs, open in this process.

    Nothing happens with another storage, nor where a file cannot be opened: Dagster then tells the
    reason with the next event.

    Args:
        instance: the instance.
        run_id: id of the run.

    """
    storage = instance.event_log_storage
    with contextlib.ExitStack() as stack:
        if isinstance(storage, SqliteEventLogStorage):
            for shard in (run_id, INDEX_SHARD_NAME):
                with contextlib.suppress(sqlite3.Error):
                    stack.enter_context(_opened(storage.path_for_shard(shard)))
        yield


@contextlib.contextmanager
def _opened(path: str) -> Iterator[None]:
    """A connection that has read once, which makes it one of those that use the log."""
    # The end of a generator may come in another thread than its beginning.
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
        yield
    finally:
        connection.close()


__all__ = ["event_files_open"]

"""Whether an SQLite file is whole; GDAL reads past damaged pages that it does not need."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from spatial_pipeline.errors import SourceError

MAGIC = b"SQLite format 3\0"


def verify(file: Path) -> None:
    """Checks the structure of every page; does nothing for what is no SQLite file.

    Raises:
        SourceError: it is damaged, or cut.

    """
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) != MAGIC:
            return
    try:
        connection = read_only(file)
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
            # A quick check skips indexes, by which GDAL looks up what the small tables say.
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'gpkg_*'"
            )
            for (name,) in names.fetchall() if found == ["ok"] else ():
                quoted = str(name).replace("'", "''")
                rows = connection.execute(f"PRAGMA integrity_check('{quoted}')")
                found += [str(row[0]) for row in rows if row[0] != "ok"]
        finally:
            connection.close()
    except sqlite3.OperationalError as exc:
        if "module" in str(exc) or "collat" in str(exc):
            return
        raise SourceError(_damaged(str(exc))) from exc
    except sqlite3.DatabaseError as exc:
        raise SourceError(_damaged(str(exc))) from exc
    if found != ["ok"]:
        raise SourceError(_damaged("; ".join(found)))


def read_only(file: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even a log.

    Raises:
        sqlite3.OperationalError: the file cannot be opened.

    """
    # A log beside the file holds pages that are not in it yet; without one nothing is written.
    mode = "mode=ro" if file.with_name(file.name + "-wal").exists() else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True)


def _damaged(reason: str) -> str:
    return f"the database is damaged: {' '.join(reason.split())[:500]}"

"""Integrity of an SQLite file; GDAL ignores damaged pages that it does not need."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from urllib.parse import quote

from spatial_pipeline.errors import SourceError

MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100


def verify(file: Path) -> None:
    """Checks the structure of every page; does nothing for what is no SQLite file.

    Raises:
        SourceError: it is damaged, or cut.

    """
    with file.open("rb") as opened:
        head = opened.read(_HEADER_BYTES)
    if not head.startswith(MAGIC):
        return
    if not file.with_name(file.name + "-wal").exists():
        _long_enough(head, file.stat().st_size)
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


def _long_enough(head: bytes, size: int) -> None:
    """Compares the length of a file with its header: SQLite passes over the lack of a last page.

    Structure: Database File Format (sqlite.org), section 1.3; pages are counted there unless a
    writer older than 3.7.0 came last.
    """
    if len(head) < _HEADER_BYTES:
        raise SourceError(_damaged("it ends in its header"))
    (page,) = struct.unpack_from(">H", head, 16)
    change, pages = struct.unpack_from(">II", head, 24)
    (valid,) = struct.unpack_from(">I", head, 92)
    page = 65_536 if page == 1 else page
    if pages and change == valid and size < pages * page:
        raise SourceError(_damaged(f"it has {pages} pages of {page} bytes, the file {size} bytes"))


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

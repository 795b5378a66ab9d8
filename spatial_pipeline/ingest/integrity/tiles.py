"""Pictures in the tile tables of a GeoPackage or MBTiles file.

GDAL passes over a tile that does not decode: its pixels become empty, or 0. Each picture is looked
at as a file of its own would be: checksums of a PNG, the end of a JPEG, the length of a WebP.

Sources: OGC 12-128r19 (GeoPackage 1.4), 2.2.8; MBTiles 1.3; ITU T.81, B.1.1.3; WebP container
specification.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import png
from spatial_pipeline.ingest.integrity.sqlite import read_only

DRIVERS = frozenset({"GPKG", "MBTiles"})
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_RIFF_HEAD = 8
SHOWN = 5
"""Tiles that an error names."""


def verify(dataset: Any, file: Path) -> None:
    """Looks at all pictures of the table that a raster is read from.

    Args:
        dataset: the open raster; nothing is looked at unless it is one of ``DRIVERS``.
        file: the database.

    Raises:
        SourceError: a picture is damaged.

    """
    if dataset.driver not in DRIVERS:
        return
    wrong: list[str] = []
    count = 0
    try:
        with closing(read_only(file)) as database:
            for table in _tables(database, dataset):
                for place, reason in _damaged(database, table):
                    count += 1
                    if len(wrong) < SHOWN:
                        wrong.append(
                            f"zoom {place[0]}, column {place[1]}, row {place[2]}: {reason}"
                        )
    except sqlite3.DatabaseError as exc:
        msg = f"its tiles cannot be read: {' '.join(str(exc).split())[:300]}"
        raise SourceError(msg) from exc
    if wrong:
        more = f"; and {count - len(wrong)} more" if count > len(wrong) else ""
        msg = f"{count} tiles are damaged: {'; '.join(wrong)}{more}"
        raise SourceError(msg)


def _tables(database: sqlite3.Connection, dataset: Any) -> list[str]:
    if dataset.driver == "MBTiles":
        return ["tiles"]
    found = database.execute(
        "SELECT table_name FROM gpkg_contents "
        "WHERE data_type IN ('tiles', '2d-gridded-coverage') ORDER BY table_name"
    )
    tables = [str(name) for (name,) in found]
    named = [t for t in tables if str(dataset.name).endswith(f":{t}")]
    return named or tables[: 1 if len(tables) == 1 else 0]


def _damaged(
    database: sqlite3.Connection, table: str
) -> Iterator[tuple[tuple[int, int, int], str]]:
    quoted = '"' + table.replace('"', '""') + '"'
    rows = database.execute(
        f"SELECT zoom_level, tile_column, tile_row, tile_data FROM {quoted}"  # noqa: S608
    )
    for zoom, column, row, data in rows:
        reason = _wrong(data)
        if reason:
            yield (zoom, column, row), reason


def _wrong(data: object) -> str | None:
    """Why a value is no whole picture; None for a sound one, or of a kind that is not looked at."""
    if not isinstance(data, bytes) or not data:
        return "it holds no picture"
    if data.startswith(png.SIGNATURE):
        try:
            png.verify_chunks(data)
        except SourceError as exc:
            return str(exc)
    elif data.startswith(_JPEG) and not data.rstrip(b"\0").endswith(_JPEG_END):
        return "the JPEG has no end"
    elif data.startswith(b"RIFF"):
        length = int.from_bytes(data[4:_RIFF_HEAD], "little") + _RIFF_HEAD
        if length > len(data):
            return f"the WebP declares {length} bytes and has {len(data)}"
    return None

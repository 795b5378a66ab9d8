"""A database with a log is read with its log, from a copy: in a folder and in a zip."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyogrio
import pytest
import shapely

from spatial_pipeline_tests.ingest.sources import staged_vector

WRITER = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA wal_autocheckpoint = 0")
for i in range(10, 15):
    database.execute("INSERT INTO data (fid, id) VALUES (?, ?)", (i, i))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """A GeoPackage of three rows, and five more in the log of a writer that was killed."""
    path = tmp_path / "given" / "a.gpkg"
    path.parent.mkdir()
    table = pa.table({"id": [0, 1, 2], "geometry": [shapely.Point(i, i).wkb for i in range(3)]})
    pyogrio.write_arrow(
        table, path, layer="data", driver="GPKG", geometry_name="geometry",
        geometry_type="Point", crs="EPSG:4326",
    )  # fmt: skip
    _without_triggers(path)
    killed = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name("a.gpkg-wal").stat().st_size > 0
    return path


def _without_triggers(path: Path) -> None:
    """Those of an index call functions that only GDAL has."""
    with closing(sqlite3.connect(path)) as database, database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            database.execute(f'DROP TRIGGER "{name}"')


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {f.name: (f.read_bytes(), f.stat().st_mtime_ns) for f in sorted(folder.iterdir())}


def test_the_log_is_read_and_nothing_is_written(logged: Path, tmp_path: Path) -> None:
    before = state(logged.parent)
    profile, table = staged_vector(logged, tmp_path / "s")
    assert profile.error is None
    assert table["id"].to_pylist() == [0, 1, 2, 10, 11, 12, 13, 14]
    assert state(logged.parent) == before


@pytest.mark.parametrize("inside", ["", "folder/"])
def test_the_log_is_read_from_a_zip_too(logged: Path, tmp_path: Path, inside: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("a.gpkg", "a.gpkg-wal"):
            file.write(logged.with_name(name), inside + name)
    shutil.rmtree(logged.parent)
    given = archive.read_bytes()
    _, table = staged_vector(archive, tmp_path / "s")
    assert table["id"].to_pylist() == [0, 1, 2, 10, 11, 12, 13, 14]
    assert archive.read_bytes() == given

"""Damaged GeoPackages."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity import sqlite
from spatial_pipeline_tests.ingest.sources import (
    cut,
    overwrite,
    points,
    staged_vector,
    table_of,
    write_layer,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = table_of(points(3000), id=list(range(3000)), name=["some text"] * 3000)
    return write_layer(tmp_path / "a.gpkg", table, "Point")


def test_a_whole_one_and_something_else(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    sqlite.verify(path)
    assert path.read_bytes() == before
    (tmp_path / "other").write_bytes(b"no database")
    sqlite.verify(tmp_path / "other")


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.7, 0.999])
def test_one_that_was_cut(path: Path, tmp_path: Path, fraction: float) -> None:
    profile, table = staged_vector(cut(path, fraction), tmp_path / "s")
    assert str(profile.error).startswith("a.gpkg: the database is damaged: ")
    assert table.num_rows == 0


def test_damaged_pages_in_the_middle(path: Path) -> None:
    whole = path.read_bytes()
    reasons = []
    for i in range(4, 20):
        path.write_bytes(whole)
        overwrite(path, i / 40, 200)
        try:
            sqlite.verify(path)
        except SourceError as exc:
            reasons.append(str(exc))
    assert any("the database is damaged: *** in database main ***" in r for r in reasons)
    assert len(reasons) > 10


def test_only_the_magic_is_left(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100] + b"\0" * 5000)
    with pytest.raises(SourceError, match="the database is damaged"):
        sqlite.verify(path)


def test_changes_that_are_still_in_the_log_are_read(path: Path, tmp_path: Path) -> None:
    import sqlite3

    import pyogrio

    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE more (id INTEGER PRIMARY KEY, a INTEGER)")
    writer.execute("INSERT INTO more (a) VALUES (1)")
    writer.commit()
    try:
        sqlite.verify(path)
        assert "more" in pyogrio.list_layers(path)[:, 0]
        profile, _ = staged_vector(path, tmp_path / "s", layer="data")
        assert profile.error is None
        assert profile.count == 3000
    finally:
        writer.close()

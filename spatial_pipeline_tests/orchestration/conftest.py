"""What tests of daemons start from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from spatial_pipeline_tests.orchestration.daemons import STORAGES, Deployment, storage


@sa.event.listens_for(Engine, "connect")
def _hasty(connection: Any, _record: Any) -> None:
    """No waiting for the disk: Dagster opens and closes SQLite for every event that it writes.

    A process that is killed loses nothing by this, a machine without power would.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


_read = ScriptDirectory.from_config
_scripts: dict[str | None, ScriptDirectory] = {}


def _migrations(config: Config) -> ScriptDirectory:
    """Dagster's migrations, read once: it reads all files for each database, one a run."""
    location = config.get_main_option("script_location")
    if location not in _scripts:
        _scripts[location] = _read(config)
    return _scripts[location]


ScriptDirectory.from_config = _migrations  # type: ignore[method-assign,assignment]


@pytest.fixture(params=STORAGES)
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """A folder for contracts and sources, and an instance on SQLite and on PostgreSQL."""
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    with storage(request.param, request) as instance:
        yield Deployment(tmp_path, instance)

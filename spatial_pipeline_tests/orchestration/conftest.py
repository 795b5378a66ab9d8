"""What tests of daemons start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spatial_pipeline_tests.orchestration.daemons import STORAGES, Deployment, storage


@pytest.fixture(params=STORAGES)
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """A folder for contracts and sources, and an instance on SQLite and on PostgreSQL."""
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    with storage(request.param, request) as instance:
        yield Deployment(tmp_path, instance)

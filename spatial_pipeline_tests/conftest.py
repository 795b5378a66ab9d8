"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from spatial_pipeline_tests.postgres import Cluster, NoPostgresError, running_cluster

FOREIGN = ("SPATIAL_", "DAGSTER_", "PG")
"""Prefixes of variables that would make a test depend on whoever runs it."""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(FOREIGN)]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server with PostGIS for this worker; it starts when a test first asks for it."""
    try:
        with running_cluster() as cluster:
            yield cluster
    except NoPostgresError as exc:
        pytest.fail(str(exc))

"""A database for the tests of tables as sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spatial_pipeline_tests.postgres import Cluster


class Database:
    """A database with PostGIS of one test module."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.name = cluster.new_database("source")

    @property
    def uri(self) -> str:
        return self.cluster.dsn(self.name)

    def sql(self, *statements: str) -> str:
        return self.cluster.psql(";".join(statements), self.name)

    def sessions(self) -> int:
        """Sessions of ours that are open."""
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'spatial_pipeline%'"
        )
        return int(self.cluster.psql(asked))


@pytest.fixture(scope="module")
def database(postgres: Cluster) -> Iterator[Database]:
    """An empty database with PostGIS; nothing of ours may stay connected to it."""
    made = Database(postgres)
    yield made
    assert made.sessions() == 0

"""PgBouncer before a real server: tables are read in every pool mode, and published in one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import StoreError
from spatial_pipeline.ingest.postgis.probe import table_tokens
from spatial_pipeline.publish.postgis.pool import Database, ServerAddress
from spatial_pipeline_tests.ingest.sources import staged_vector
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.pooler import running_pooler


@pytest.fixture(scope="module")
def name(postgres: Cluster) -> str:
    made = postgres.new_database("pooled")
    postgres.psql(
        "CREATE TYPE mood AS ENUM ('ok', 'bad');"
        "CREATE TABLE pooled AS SELECT i AS id, 'ok'::mood AS m, 1.5::numeric AS n,"
        " ST_SetSRID(ST_MakePoint(i, i), 4326)::geometry(Point, 4326) AS geom"
        " FROM generate_series(1, 300) i",
        made,
    )
    return made


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_table_is_read_through_a_pooler(
    postgres: Cluster, name: str, tmp_path: Path, mode: str
) -> None:
    with running_pooler(postgres, mode, default_pool_size="2") as address:
        uri = f"{address}/{name}"
        for number in range(3):
            profile, table = staged_vector(uri, tmp_path / str(number), layer="public.pooled")
            assert profile.error is None, profile.error
            assert table.num_rows == 300
        asked = "SELECT id, m, geom FROM pooled WHERE id < 5"
        profile, table = staged_vector(uri, tmp_path / "query", layer=None, query=asked)
        assert profile.error is None, profile.error
        assert profile.geometry_type == "Point"
        assert table.num_rows == 4
        ((_, token),) = table_tokens(Source(uri=uri, layer="pooled"), [None])
        assert isinstance(token, str), token
    kept = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'"
    assert postgres.psql(kept, name) == "0"


@pytest.mark.parametrize("round_robin", ["0", "1"])
@pytest.mark.parametrize("size", ["1", "4"])
def test_publishing_through_a_pooler_of_transactions_is_refused(
    postgres: Cluster, name: str, size: str, round_robin: str
) -> None:
    settings = {"default_pool_size": size, "server_round_robin": round_robin}
    with running_pooler(postgres, "transaction", **settings) as address:

        async def ask() -> None:
            database = Database(ServerAddress(f"{address}/{name}"))
            async with database.opened(), database.connection():
                pytest.fail("the lock of a publication would be lost")

        with pytest.raises(StoreError, match="set pool_mode=session"):
            asyncio.run(ask())
    tables = "SELECT count(*) FROM pg_namespace WHERE nspname = 'spatial_pipeline'"
    assert postgres.psql(tables, name) == "0"


def test_a_pooler_of_sessions_is_a_server(postgres: Cluster, name: str) -> None:
    with running_pooler(postgres, "session") as address:

        async def ask() -> list[str]:
            database = Database(ServerAddress(f"{address}/{name}"))
            async with database.opened():
                found = []
                for _ in range(2):
                    async with database.connection() as connection:
                        found.append(await connection.fetchval("SHOW statement_timeout"))
                return found

        assert asyncio.run(ask()) == ["1h", "1h"]

"""Settings of a source are those of its transaction."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from spatial_pipeline.contract.database_url import parse
from spatial_pipeline.ingest.postgis.session import ServerLimits, session, snapshot
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]


@pytest.mark.parametrize(
    ("login", "stands"),
    [("0", "20s"), ("7s", "7s"), ("3h", "20s")],
)
def test_a_shorter_limit_of_the_login_stands(database: Database, login: str, stands: str) -> None:
    options = quote(f"-c statement_timeout={login} -c datestyle=german", safe="")
    address = parse(f"{database.uri}?options={options}", None)
    limits = ServerLimits(patience_s=20.0, statement_s=20.0)
    with session(address, limits) as (loop, connection):

        async def shown() -> list[str]:
            async def settings() -> list[str]:
                names = ("statement_timeout", "datestyle", "transaction_read_only")
                return [await connection.fetchval(f"SHOW {name}") for name in names]

            before = await settings()
            async with snapshot(connection, limits):
                inside = await settings()
            assert await settings() == before
            return inside

        assert loop.run(shown()) == [stands, "ISO, YMD", "on"]

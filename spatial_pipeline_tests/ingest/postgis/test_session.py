"""Settings of a source are those of its transaction."""

from __future__ import annotations

import contextlib
import threading
import time
from urllib.parse import quote

import psycopg2
import pytest

from spatial_pipeline.contract.database_url import parse
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis.session import ServerLimits, session, snapshot
from spatial_pipeline.ingest.postgis.source import open_table
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


@pytest.mark.parametrize(
    ("login", "limit_s", "told"),
    [
        ("0", 0.3, r"statement timeout \(the limit is 300ms\)"),
        ("200ms", 20.0, r"\(statement_timeout of the login or its database is 200ms: raise it"),
        ("3h", 0.3, r"\(the limit is 300ms\)"),
    ],
)
def test_a_statement_that_takes_too_long_names_the_limit_that_applied(
    database: Database, login: str, limit_s: float, told: str
) -> None:
    options = quote(f"-c statement_timeout={login}", safe="")
    address = parse(f"{database.uri}?options={options}", None)
    query = "SELECT 1 AS a FROM (SELECT pg_sleep(30)) AS s"
    with (
        pytest.raises(SourceError, match=told),
        open_table(address, None, query, ServerLimits(patience_s=20.0, statement_s=limit_s)),
    ):
        pass


def test_a_statement_that_an_administrator_cancels_says_so(database: Database) -> None:
    def cancel() -> None:
        with contextlib.closing(psycopg2.connect(database.uri)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            while not ended.is_set():
                cursor.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE '%pg_sleep(31)%' AND pid <> pg_backend_pid()"
                )
                time.sleep(0.05)

    ended = threading.Event()
    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        query = "SELECT 1 AS a FROM (SELECT pg_sleep(31)) AS s"
        with (
            pytest.raises(SourceError, match=r"user request \(by an administrator or pg_cancel"),
            open_table(parse(database.uri, None), None, query),
        ):
            pass
    finally:
        ended.set()
        thread.join()

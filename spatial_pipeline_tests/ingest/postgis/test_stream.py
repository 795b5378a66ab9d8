"""Rows of a real server in pieces of bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline.ingest.postgis.rows import found_rows
from spatial_pipeline.ingest.postgis.stream import HEADER_BYTES, RowStream
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]


def streamed(database: Database, sql: str, work: Callable[[RowStream], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        connection = await asyncpg.connect(database.uri, statement_cache_size=0)
        try:
            stream = RowStream(connection, sql)
            try:
                return await work(stream)
            finally:
                await stream.close()
                if not connection.is_closed():
                    assert await connection.fetchval("SELECT 1") == 1
        finally:
            await connection.close()

    return asyncio.run(main())


async def pieces(stream: RowStream) -> list[bytes]:
    found = []
    while piece := await stream.take():
        found.append(piece)
    return found


@pytest.mark.parametrize("size", [1, 1 << 12, 1 << 30])
def test_the_pieces_are_the_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", size)
    sql = "SELECT repeat('x', i % 1000)::bytea FROM generate_series(1, 3000) i"
    found = streamed(database, sql, pieces)
    data = b"".join(found)
    places, end = found_rows(data, HEADER_BYTES)
    assert len(places) == 3000
    assert data[end:] == b"\xff\xff"
    assert (len(found) == 1) == (size == 1 << 30)


def test_no_rows_are_a_head_and_an_end(database: Database) -> None:
    (piece,) = streamed(database, "SELECT ''::bytea WHERE false", pieces)
    assert len(piece) == HEADER_BYTES + 2


def test_an_error_of_the_server_is_raised(database: Database) -> None:
    sql = "SELECT (1 / (90000 - i))::text::bytea FROM generate_series(1, 100000) i"
    with pytest.raises(asyncpg.DivisionByZeroError):
        streamed(database, sql, pieces)


def test_a_stream_that_nobody_reads_to_its_end_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 1 << 12)

    async def first(stream: RowStream) -> int:
        return len(await stream.take())

    sql = "SELECT repeat('x', 1000)::bytea FROM (SELECT generate_series(1, 100000000)) s"
    for _ in range(5):
        assert streamed(database, sql, first) >= 1 << 12
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%repeat(''x'', 1000)%'"
    deadline = time.monotonic() + 30
    while (left := database.sql(f"{running} AND pid <> pg_backend_pid()").strip()) != "0":
        assert time.monotonic() < deadline, left
        time.sleep(0.05)

"""Servers that die, runs that are cancelled, connections that are scarce."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis import publisher as module
from spatial_pipeline.publish.postgis.pool import Database, ServerAddress
from spatial_pipeline_tests.publish.postgis.projects import (
    Project,
    contract,
    idle_or_busy,
    stray_tables,
)
from spatial_pipeline_tests.publish.postgis.servers import Server, running_server

CONNECTIONS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(max_connections=str(CONNECTIONS)) as running:
        yield running


@pytest.fixture
def own(server: Server, tmp_path: Path) -> Project:
    catalogue.load()
    database = server.cluster.new_database()
    server.cluster.psql("CREATE SCHEMA gis", database)
    return Project(tmp_path, server.cluster.dsn(database))


async def shown(dsn: str) -> tuple[int, int]:
    """(mark, rows) of the published table."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT mark, count(*) FROM gis.points GROUP BY mark")
    finally:
        await connection.close()
    assert len(rows) == 1
    return tuple(rows[0])  # type: ignore[return-value]


@pytest.mark.parametrize("moment", ["copy", "between", "exchanged"])
def test_a_server_that_dies_leaves_the_former_version(
    server: Server, own: Project, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    of = contract(own.folder)
    pipeline = own.pipeline()
    one, two = own.proven(of, 30, 1), own.proven(of, 40, 2)
    asyncio.run(pipeline.apublish(of, one))
    rows, finish, exchange = module.rows, module.parts.finish, module.tables.exchange

    async def kill() -> None:
        await asyncio.to_thread(server.kill)

    async def dying_rows(*args: Any) -> Any:
        async for index, chunk in aenumerate(rows(*args)):
            if index == 1:
                await kill()
            yield chunk

    async def dying_finish(*args: Any) -> None:
        await finish(*args)
        await kill()

    async def dying_exchange(*args: Any) -> None:
        await exchange(*args)
        await kill()

    with monkeypatch.context() as patch:
        if moment == "copy":
            patch.setattr(module, "rows", dying_rows)
        elif moment == "between":
            patch.setattr(module.parts, "finish", dying_finish)
        else:
            patch.setattr(module.tables, "exchange", dying_exchange)
        with pytest.raises(StoreError, match="the database went away"):
            asyncio.run(pipeline.apublish(of, two))
        impatient = own.pipeline(database_acquire_timeout_s=0.3)
        with pytest.raises(StoreError, match=r"no connection within 0\.3 s"):
            asyncio.run(impatient.apublish(of, two))
    server.start(max_connections=str(CONNECTIONS))
    assert asyncio.run(shown(own.dsn)) == (1, 30)
    assert pipeline.store.published_version("points", None) == one
    asyncio.run(pipeline.apublish(of, two))
    assert asyncio.run(shown(own.dsn)) == (2, 40)
    assert pipeline.store.published_version("points", None) == two
    assert asyncio.run(stray_tables(own.dsn)) == []
    assert asyncio.run(idle_or_busy(own.dsn)) == 0


def test_a_server_that_is_starting_is_waited_for(server: Server, own: Project) -> None:
    of = contract(own.folder)
    version = own.proven(of, 3, 1)
    server.kill()

    async def story() -> None:
        publishing = asyncio.create_task(own.pipeline().apublish(of, version))
        await asyncio.sleep(0.3)
        assert not publishing.done()
        await asyncio.to_thread(server.start, max_connections=str(CONNECTIONS))
        await publishing

    asyncio.run(story())
    assert asyncio.run(shown(own.dsn)) == (1, 3)


def test_runs_cancelled_at_random_moments_leave_nothing(own: Project) -> None:
    of = contract(own.folder)
    versions = [own.proven(of, 200 + i, i) for i in range(2)]
    whole = {(i, 200 + i) for i in range(2)}
    chance = random.Random(7)

    async def story() -> None:
        pipeline = own.pipeline()
        loop = asyncio.get_running_loop()
        before = loop.time()
        await pipeline.apublish(of, versions[0])
        usual = loop.time() - before
        cancelled = 0
        for attempt in range(50):
            run = asyncio.create_task(pipeline.apublish(of, versions[attempt % 2]))
            await asyncio.sleep(chance.uniform(0, usual))
            cancelled += run.cancel()
            await asyncio.wait([run])
            assert run.cancelled() or run.exception() is None, run.exception()
            assert await shown(own.dsn) in whole
        assert cancelled > 5
        await pipeline.apublish(of, versions[0])
        assert await shown(own.dsn) == (0, 200)

    asyncio.run(story())
    assert asyncio.run(idle_or_busy(own.dsn)) == 0
    assert asyncio.run(stray_tables(own.dsn)) == []


@pytest.mark.parametrize("pools", ["one pool", "a pool each"])
def test_fifty_datasets_share_few_connections(own: Project, pools: str) -> None:
    contracts = [contract(own.folder, f"d{i}") for i in range(50)]
    versions = [own.proven(of, 2, i) for i, of in enumerate(contracts)]

    async def story() -> None:
        shared = own.pipeline(*contracts)
        assert shared.database is not None
        if pools == "one pool":
            async with shared.database.opened():
                await asyncio.gather(
                    *(shared.apublish(o, v) for o, v in zip(contracts, versions, strict=True))
                )
        else:
            await asyncio.gather(
                *(own.pipeline(o).apublish(o, v) for o, v in zip(contracts, versions, strict=True))
            )

    asyncio.run(story())
    assert asyncio.run(idle_or_busy(own.dsn)) == 0

    async def marks() -> list[int]:
        connection = await asyncpg.connect(own.dsn)
        try:
            return [await connection.fetchval(f"SELECT mark FROM gis.d{i}") for i in range(50)]
        finally:
            await connection.close()

    assert asyncio.run(marks()) == list(range(50))


def test_a_pool_belongs_to_its_loop(own: Project) -> None:
    database = Database(ServerAddress(own.dsn))

    async def ask() -> int:
        async with database.opened(), database.opened(), database.connection() as connection:
            return int(await connection.fetchval("SELECT 1"))

    async def unopened() -> None:
        async with database.connection():
            pass

    async def together() -> int:
        answers = await asyncio.gather(*(ask() for _ in range(10)))
        async with database.opened():
            assert len(database._pools) == 1
        return len(answers)

    assert [asyncio.run(ask()) for _ in range(3)] == [1, 1, 1]
    assert asyncio.run(together()) == 10
    assert not database._pools
    with pytest.raises(StoreError, match="not open on this loop"):
        asyncio.run(unopened())
    assert asyncio.run(idle_or_busy(own.dsn)) == 0


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql+asyncpg://u@h/d", "not a libpq URI"),
        ("localhost", "not a libpq URI"),
        ("host=localhost sslmod=require", "has no such parameter.*sslmod"),
        ("postgresql://h/d?channel_binding=require", "channel_binding=require is not supported"),
        ("postgresql://postgres@127.0.0.1:1/d", "no connection within 0.2 s"),
        ("postgresql://h:port/d", "SPATIAL_DATABASE_URL: "),
    ],
)
def test_wrong_addresses_are_named(dsn: str, said: str) -> None:
    async def ask() -> None:
        async with (
            Database(ServerAddress(dsn, acquire_timeout_s=0.2)).opened() as database,
            database.connection(),
        ):
            pass

    with pytest.raises(StoreError, match=said) as caught:
        asyncio.run(ask())
    assert "secret" not in str(caught.value)


def test_a_wrong_password_is_not_tried_for_long(own: Project) -> None:
    wrong = own.dsn.replace(own.dsn.split("@")[0], "postgresql://postgres:secret-word")

    async def ask() -> None:
        async with Database(ServerAddress(wrong)).opened() as database, database.connection():
            pass

    with pytest.raises(StoreError, match="password authentication failed") as caught:
        asyncio.run(ask())
    assert "secret-word" not in str(caught.value)
    assert "secret-word" not in repr(ServerAddress(wrong))


def test_a_mistake_of_ours_is_not_told_of_the_server(own: Project) -> None:
    async def ask() -> None:
        database = Database(ServerAddress(own.dsn))
        async with database.opened(), database.connection() as connection:
            await connection.fetchval("SELECT $1::int4")

    with pytest.raises(StoreError, match="rejected the request: the server expects 1"):
        asyncio.run(ask())


def test_a_server_without_tls_is_not_asked_again(own: Project) -> None:
    async def ask() -> None:
        address = ServerAddress(f"{own.dsn}?sslmode=require", acquire_timeout_s=40.0)
        async with Database(address).opened() as database, database.connection():
            pass

    with pytest.raises(StoreError, match="has no TLS, which sslmode requires"):
        asyncio.run(ask())


def test_an_address_of_pairs_is_an_address(own: Project) -> None:
    parts = urlsplit(own.dsn)
    pairs = (
        f"host={parts.hostname} port={parts.port} user={parts.username} "
        f"password='{parts.password}' dbname={parts.path[1:]} application_name='my gate'"
    )

    async def ask() -> str:
        database = Database(ServerAddress(pairs))
        async with database.opened(), database.connection() as connection:
            return str(await connection.fetchval("SHOW application_name"))

    assert asyncio.run(ask()) == "my gate"


async def aenumerate(source: Any) -> Any:
    index = 0
    async for value in source:
        yield index, value
        index += 1

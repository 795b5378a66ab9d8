"""Publishing that is given up: the server stops working for us, and nothing is half done."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis import publisher as module
from spatial_pipeline_tests.publish.postgis.projects import (
    Project,
    contract,
    idle_or_busy,
    stray_tables,
)

NAP = "SELECT pg_sleep(100)"


@pytest.fixture
def slow(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Finishing a part takes the server very long."""
    finish = module.parts.finish

    async def napping(connection: Any, *args: Any) -> None:
        await finish(connection, *args)
        await connection.execute(NAP)

    monkeypatch.setattr(module.parts, "finish", napping)
    return project


async def asleep(dsn: str) -> None:
    """Returns when the server is in its nap."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
    connection = await asyncpg.connect(dsn)
    try:
        for _ in range(3000):
            if await connection.fetchval(asked, NAP):
                return
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


@pytest.mark.parametrize("how", ["cancelled", "time-out"])
def test_a_publication_that_is_given_up_leaves_no_query(slow: Project, how: str) -> None:
    of = contract(slow.folder)
    version = slow.proven(of, 20, 1)

    async def main() -> None:
        task = asyncio.create_task(slow.pipeline().apublish(of, version))
        await asleep(slow.dsn)
        if how == "cancelled":
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task, 0.1)
        # Checked on the loop that published: nothing waits for its end.
        async with asyncio.timeout(3):
            assert await idle_or_busy(slow.dsn) == 0

    asyncio.run(main())
    assert asyncio.run(stray_tables(slow.dsn)) == []


def test_a_publication_that_waits_for_another_one_can_be_given_up(project: Project) -> None:
    of = contract(project.folder)
    version = project.proven(of, 20, 1)

    async def main() -> None:
        other = await asyncpg.connect(project.dsn)
        await other.execute(
            "SELECT pg_advisory_lock(hashtextextended('spatial_pipeline publish points None', 0))"
        )
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await project.pipeline().apublish(of, version)
            assert await idle_or_busy(project.dsn) == 0
        finally:
            await other.close()

    asyncio.run(main())


def test_a_statement_that_takes_too_long_is_ended_by_the_server(slow: Project) -> None:
    of = contract(slow.folder)
    version = slow.proven(of, 20, 1)
    pipeline = slow.pipeline(database_statement_timeout_s=0.5)
    with pytest.raises(StoreError, match="statement timeout"):
        asyncio.run(pipeline.apublish(of, version))
    assert asyncio.run(idle_or_busy(slow.dsn)) == 0

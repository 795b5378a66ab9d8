"""A lock of the server that another session holds."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis import migrations
from spatial_pipeline.publish.postgis.advisory_lock import transaction_lock
from spatial_pipeline.store import locks
from spatial_pipeline_tests.publish.postgis.projects import Project


def test_a_lock_within_a_transaction_names_its_holder_and_leaves_the_transaction_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.05)

    async def story() -> None:
        other, own = await asyncpg.connect(project.dsn), await asyncpg.connect(project.dsn)
        try:
            await other.execute("SELECT pg_advisory_lock(hashtextextended('k', 0))")
            pid = other.get_server_pid()
            async with own.transaction():
                await own.execute("SET LOCAL lock_timeout = '7s'")
                await own.execute("CREATE TABLE gis.kept (a int)")
                with pytest.raises(StoreError, match=rf"work is locked by session {pid} of"):
                    await transaction_lock(own, "k", "work", 0.3)
                await other.execute("SELECT pg_advisory_unlock_all()")
                await transaction_lock(own, "k", "work", 10)
                assert await own.fetchval("SELECT current_setting('lock_timeout')") == "7s"
                taken = "SELECT pg_try_advisory_lock(hashtextextended('k', 0))"
                assert not await other.fetchval(taken)
            assert await other.fetchval(taken)
            assert await own.fetchval("SELECT count(*) FROM gis.kept") == 0
        finally:
            await other.close()
            await own.close()

    asyncio.run(story())
    assert "work is locked by session" in caplog.text


@pytest.mark.parametrize(
    "held",
    [
        f"SELECT pg_advisory_xact_lock({migrations.LOCK})",
        "LOCK spatial_pipeline.parts IN ROW EXCLUSIVE MODE",
    ],
    ids=["another migration", "a publication"],
)
def test_a_migration_that_waits_names_the_session_and_gives_up(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, held: str
) -> None:
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.05)
    all_of_them = migrations.MIGRATIONS

    async def story() -> None:
        other, own = await asyncpg.connect(project.dsn), await asyncpg.connect(project.dsn)
        try:
            monkeypatch.setattr(migrations, "MIGRATIONS", all_of_them[:1])
            await migrations.migrate(own)
            monkeypatch.setattr(migrations, "MIGRATIONS", all_of_them)
            pid = other.get_server_pid()
            async with other.transaction():
                await other.execute(held)
                who = rf"spatial_pipeline of the database is locked by session {pid} of .*given up"
                with pytest.raises(StoreError, match=who):
                    await migrations.migrate(own, 0.3)
            await own.execute("SET statement_timeout = '20s'")
            await migrations.migrate(own, 10)
            done = await own.fetchval("SELECT count(*) FROM spatial_pipeline.migrations")
            assert done == len(all_of_them)
            assert await own.fetchval("SELECT current_setting('lock_timeout')") == "0"
        finally:
            await other.close()
            await own.close()

    asyncio.run(story())
    assert "waiting since" in caplog.text


def test_a_process_gives_up_a_migration_after_the_time_that_is_set(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        other = await asyncpg.connect(project.dsn)
        try:
            await other.execute(f"SELECT pg_advisory_lock({migrations.LOCK})")
            database = project.pipeline(lock_timeout_s=0.2).database
            assert database is not None
            async with database.opened():
                with pytest.raises(StoreError, match=r"given up after 0.2 s"):
                    async with database.connection():
                        pass
        finally:
            await other.close()

    asyncio.run(story())

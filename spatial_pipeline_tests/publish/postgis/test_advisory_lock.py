"""A lock of the server that another session holds."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from spatial_pipeline.errors import StoreError
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

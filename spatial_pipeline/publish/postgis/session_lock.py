"""Advisory locks that end with their session."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.publish.postgis.lock_holders import holders
from spatial_pipeline.publish.postgis.pool import ServerAddress
from spatial_pipeline.store.locks import Patience


async def lock_session(
    connection: asyncpg.Connection, key: str, what: str, address: ServerAddress
) -> None:
    """Takes a session lock; says whose it is while it waits.

    Raises:
        StoreError: another session holds it and does not give it back in time.

    """
    patience = Patience(what, address.patience_s)
    while True:
        # A statement that waits longer than it may would be ended without a word on the lock.
        wait_ms = 1000 * min(patience.until_due(), address.statement_timeout_s / 2)
        await connection.execute(
            "SELECT set_config('lock_timeout', $1, false)", str(max(int(wait_ms), 1))
        )
        try:
            await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key)
        except asyncpg.LockNotAvailableError:
            if patience.due:
                patience.say(await holders(connection, key))
        else:
            await connection.execute("RESET lock_timeout")
            return

"""Advisory locks that go with a transaction; those of sessions are in ``session_lock``."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.publish.postgis.lock_holders import holders
from spatial_pipeline.store.locks import TIMEOUT_S, Patience


async def transaction_lock(
    connection: asyncpg.Connection, key: str, what: str, patience_s: float = TIMEOUT_S
) -> None:
    """Takes a lock that goes with the transaction; says whose it is while it waits.

    Raises:
        StoreError: another session holds it and does not give it back in time.

    """
    patience = Patience(what, patience_s)
    before = await connection.fetchval("SELECT current_setting('lock_timeout')")
    while True:
        try:
            # A statement that fails within a savepoint leaves the transaction as it was.
            async with connection.transaction():
                await limit_waits(connection, patience)
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key
                )
                await connection.execute("SELECT set_config('lock_timeout', $1, true)", before)
        except asyncpg.LockNotAvailableError:
            if patience.due:
                patience.say(await holders(connection, key))
        else:
            return


async def limit_waits(connection: asyncpg.Connection, patience: Patience) -> None:
    """Bounds waits of this transaction for locks by the moment at which their holder is named.

    A statement that waits longer than it may at all would be ended without a word on the lock.
    """
    longest = await connection.fetchval(
        "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'"
    )
    wait_ms = 1000 * patience.until_due()
    if longest:
        wait_ms = min(wait_ms, longest / 2)
    # 0 would wait for ever.
    await connection.execute(
        "SELECT set_config('lock_timeout', $1, true)", str(max(int(wait_ms), 1))
    )

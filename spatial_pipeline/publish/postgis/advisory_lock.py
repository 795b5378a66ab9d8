"""Advisory locks that go with a transaction; those of sessions are in ``session_lock``."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.publish.postgis.session_lock import holder
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
                await connection.execute(
                    "SELECT set_config('lock_timeout', $1, true)", _ms(patience.until_due())
                )
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key
                )
                await connection.execute("SELECT set_config('lock_timeout', $1, true)", before)
        except asyncpg.LockNotAvailableError:
            if patience.due:
                patience.say(await holder(connection, key))
        else:
            return


def _ms(seconds: float) -> str:
    """A setting in milliseconds; 0 would wait for ever."""
    return str(max(int(1000 * seconds), 1))

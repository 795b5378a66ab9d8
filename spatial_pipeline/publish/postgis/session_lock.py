"""Advisory locks that end with their session, and who holds them."""

from __future__ import annotations

import asyncpg

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
                patience.say(await holder(connection, key))
        else:
            await connection.execute("RESET lock_timeout")
            return


async def holder(connection: asyncpg.Connection, key: str) -> str:
    """The session that holds a lock, as far as the server tells this role."""
    row = await connection.fetchrow(
        "SELECT a.pid, coalesce(a.client_addr::text, 'the host of the database') AS host,"
        " a.client_port, to_char(a.backend_start AT TIME ZONE 'UTC',"
        ' \'YYYY-MM-DD"T"HH24:MI:SS"+00:00"\') AS since'
        " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
        " AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended($1, 0)",
        key,
    )
    if row is None:
        return "a session that the server does not show"
    port = "" if not row["client_port"] or row["client_port"] < 0 else f" port {row['client_port']}"
    return f"session {row['pid']} of {row['host']}{port} since {row['since']}"

"""Advisory locks that end with their session, and who holds them."""

from __future__ import annotations

import asyncio

import asyncpg

from spatial_pipeline.store.locks import Patience


async def lock_session(
    connection: asyncpg.Connection, key: str, what: str, timeout_s: float
) -> None:
    """Takes a session lock; says whose it is while it waits.

    Raises:
        StoreError: another session holds it and does not give it back in time.

    """
    patience = Patience(what, timeout_s)
    while not await connection.fetchval(
        "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", key
    ):
        if patience.due:
            patience.say(await _holder(connection, key))
        await asyncio.sleep(patience.pause())


async def _holder(connection: asyncpg.Connection, key: str) -> str:
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

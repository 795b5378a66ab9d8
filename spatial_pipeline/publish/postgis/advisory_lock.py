"""Advisory locks of the server that say whose they are, and are not waited for without end."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.store.locks import TIMEOUT_S, Patience


async def session_lock(
    connection: asyncpg.Connection, key: str, what: str, patience_s: float, statement_s: float
) -> None:
    """Takes a lock that goes with the session.

    Args:
        connection: outside of a transaction.
        key: text that names the lock.
        what: words for messages.
        patience_s: longest wait.
        statement_s: longest statement of the session, which would end without a word on the lock.

    Raises:
        StoreError: another session holds it and does not give it back in time.

    """
    patience = Patience(what, patience_s)
    while True:
        wait_s = min(patience.until_due(), statement_s / 2)
        await connection.execute("SELECT set_config('lock_timeout', $1, false)", _ms(wait_s))
        try:
            await connection.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key)
        except asyncpg.LockNotAvailableError:
            if patience.due:
                patience.say(await _holder(connection, key))
        else:
            await connection.execute("RESET lock_timeout")
            return


async def transaction_lock(
    connection: asyncpg.Connection, key: str, what: str, patience_s: float = TIMEOUT_S
) -> None:
    """Takes a lock that goes with the transaction; see :func:`session_lock`.

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
                patience.say(await _holder(connection, key))
        else:
            return


def _ms(seconds: float) -> str:
    """A setting in milliseconds; 0 would wait for ever."""
    return str(max(int(1000 * seconds), 1))


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

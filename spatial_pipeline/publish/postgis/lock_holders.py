"""Sessions that hold a lock on the server, in words, for those who wait for it."""

from __future__ import annotations

import asyncpg

_HOLDERS = """
SELECT DISTINCT a.pid, coalesce(a.client_addr::text, 'the host of the database') AS host,
    coalesce(nullif(a.client_port, -1), 0) AS port, a.application_name AS application,
    to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') AS since
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
WHERE l.granted AND l.pid <> pg_backend_pid() AND (
    l.locktype = 'advisory' AND l.objsubid = 1
    AND (l.classid::bigint << 32 | l.objid::bigint) = $1
    OR l.locktype = 'relation' AND l.relation IN (
        SELECT to_regclass(t) FROM unnest($2::text[]) AS t UNION
        SELECT c.oid FROM pg_class c WHERE c.relnamespace = to_regnamespace($3)))
ORDER BY a.pid
"""


async def holders(
    connection: asyncpg.Connection,
    key: str | int,
    *,
    table: str | None = None,
    schema: str | None = None,
) -> str:
    """The first of the sessions that hold a lock, as far as the server tells this role.

    Args:
        connection: of the session that waits.
        key: of the advisory lock: its number, or the text that was hashed.
        table: quoted name of a table that the session waits for, too.
        schema: quoted name of a schema whose tables it waits for, too.

    """
    if isinstance(key, str):
        key = await connection.fetchval("SELECT hashtextextended($1, 0)", key)
    tables = [] if table is None else [table]
    found = await connection.fetch(_HOLDERS, key, tables, schema)
    if not found:
        return "a session that the server does not show"
    first, *others = found
    port = f" port {first['port']}" if first["port"] else ""
    name = f" ({first['application']})" if first["application"] else ""
    more = f" and {len(others)} more" if others else ""
    return f"session {first['pid']}{name} of {first['host']}{port} since {first['since']}{more}"

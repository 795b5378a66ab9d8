"""Relations as PostgreSQL's catalogue has them: kind, columns, inheritance, comment."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.publish.postgis.identifiers import quoted_table


async def is_attached(connection: asyncpg.Connection, table: TableName, part: TableName) -> bool:
    """True when the part's rows are read through the table."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_inherits"
            " WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2))",
            quoted_table(table),
            quoted_table(part),
        )
    )


async def relation_kind(connection: asyncpg.Connection, table: TableName) -> str | None:
    """PostgreSQL's ``relkind`` of a name, None when it is free."""
    kind = await connection.fetchval(
        "SELECT relkind FROM pg_class WHERE oid = to_regclass($1)", quoted_table(table)
    )
    return None if kind is None else kind.decode()


async def columns_of(connection: asyncpg.Connection, table: TableName) -> dict[str, str]:
    """Name → type of the columns of a table; empty when there is none."""
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
        " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        quoted_table(table),
    )
    return {row["attname"]: row["type"] for row in rows}


async def set_comment(connection: asyncpg.Connection, table: TableName, comment: str) -> None:
    """Sets the comment of a table; the server quotes the text."""
    statement = await connection.fetchval(
        "SELECT format('COMMENT ON TABLE %s IS %L', $1::text, $2::text)",
        quoted_table(table),
        comment.replace("\0", ""),
    )
    await connection.execute(statement)

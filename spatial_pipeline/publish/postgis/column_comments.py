"""Comments of the columns of a published table: the contract's, except where somebody changed one.

Every part carries the comments that the table got when it was published. A comment of the table
that neither the former nor another part has was written by hand, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.publish.postgis.identifiers import quoted_column, quoted_table


async def comment_columns(
    connection: asyncpg.Connection,
    table: TableName,
    part: TableName,
    former: TableName | None,
    comments: Mapping[str, str],
) -> None:
    """Sets the comments of the columns of a table and of its new part.

    Args:
        connection: in the transaction of the exchange.
        table: the table that readers name.
        part: the part that was attached to it.
        former: the part that was attached before, detached now.
        comments: comment by column; other columns have none.

    """
    names = [quoted_table(name) for name in (table, part, former) if name is not None]
    rows = await connection.fetch(
        "SELECT attrelid = to_regclass($1) AS shown, attrelid = to_regclass($2) AS new,"
        " attname AS column, col_description(attrelid, attnum) AS comment FROM pg_attribute"
        # One array, so that an index finds the rows: an OR would scan the columns of all tables.
        " WHERE attnum > 0 AND NOT attisdropped AND attrelid = ANY (ARRAY("
        " SELECT unnest($3::text[]::regclass[])::oid"
        " UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1)))",
        *names[:2],
        names,
    )
    shown = {row["column"]: row["comment"] for row in rows if row["shown"]}
    new = {row["column"]: row["comment"] for row in rows if row["new"]}
    given = {(row["column"], row["comment"]) for row in rows if not row["shown"]}
    for column, comment in new.items():
        wanted = comments.get(column)
        if comment != wanted:
            await _comment(connection, part, column, wanted)
        there = shown[column]
        if there != wanted and (there is None or (column, there) in given):
            await _comment(connection, table, column, wanted)


async def _comment(
    connection: asyncpg.Connection, table: TableName, column: str, comment: str | None
) -> None:
    """Sets or removes the comment of a column; the server quotes the text."""
    statement = await connection.fetchval(
        "SELECT format('COMMENT ON COLUMN %s.%s IS %L', $1::text, $2::text, $3::text)",
        quoted_table(table),
        quoted_column(column),
        None if comment is None else comment.replace("\0", ""),
    )
    await connection.execute(statement)

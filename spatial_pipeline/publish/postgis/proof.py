"""Proof that a published table shows the rows that were proven, and cheap evidence of it.

The values are compared by a digest that the server computes. A later run need not read them again
where the server can tell that nothing was written: a row names the transaction that wrote it
(``xmin``, kept when the row is frozen), a transaction that ended writes nothing more, and so the
rows of that transaction, if they are as many as they were, are the same rows. Whatever rewrites a
row (UPDATE, a changed type, a restore) makes it the row of another transaction; then the values are
read. Not seen are changes that do not go through SQL: files edited below the server.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.identifiers import quoted_table
from spatial_pipeline.publish.postgis.layout import TableLayout

_XIDS = 1 << 32
"""Transaction ids in a row have 32 bits."""
_OLDEST = 1 << 31
"""After so many transactions an id in a row may be that of a later one."""


@dataclass(frozen=True, slots=True)
class RowOrigin:
    """Origin of the rows of a part.

    Attributes:
        relation: oid of the part.
        transaction: 64-bit id of the transaction that wrote all its rows.

    """

    relation: int
    transaction: int


async def written_now(connection: asyncpg.Connection, part: TableName) -> RowOrigin:
    """Origin of the rows that this transaction writes to a part."""
    row = await connection.fetchrow(
        "SELECT to_regclass($1)::oid, txid_current()", quoted_table(part)
    )
    relation, transaction = row or (0, 0)
    return RowOrigin(relation, transaction)


async def origin_of(connection: asyncpg.Connection, part: TableName) -> RowOrigin | None:
    """Origin of the rows of a part, as the rows tell; None when several transactions wrote them.

    A restore gives all rows of a table to one transaction. To be remembered only if the values that
    are read after this match the proven ones: rows of a transaction that ended cannot come back.
    """
    row = await connection.fetchrow(
        "SELECT $1::text::regclass::oid AS relation, count(DISTINCT xmin::text) AS transactions,"
        " min(xmin::text::bigint) AS xmin, txid_snapshot_xmax(txid_current_snapshot()) AS now"
        f" FROM ONLY {quoted_table(part)}",
        quoted_table(part),
    )
    if row is None or row["transactions"] != 1:
        return None
    ago = (row["now"] - row["xmin"]) % _XIDS
    return RowOrigin(row["relation"], row["now"] - ago) if ago < _OLDEST else None


async def source_of(connection: asyncpg.Connection, table: TableName, part: TableName) -> str:
    """The relation from which the rows of an attached part are read, quoted.

    It is the table itself, under the name that readers use. A part among others is read by its own
    name, because PostgreSQL would read all parts to find its rows; so is one of a table whose
    policies hide rows from the publishing role.
    """
    parent = quoted_table(table)
    alone = await connection.fetchval(
        "SELECT count(*) = 1 AND NOT row_security_active($1) FROM pg_inherits"
        " WHERE inhparent = to_regclass($1)",
        parent,
    )
    return parent if alone else quoted_table(part)


async def is_untouched(
    connection: asyncpg.Connection, source: str, layout: TableLayout, written: RowOrigin, count: int
) -> bool:
    """True when the rows are those that the transaction wrote, in the columns of the layout.

    Args:
        connection: to the server.
        source: quoted relation from which the rows are read.
        layout: columns of the part when it was filled.
        written: origin of its rows.
        count: number of its rows.

    """
    now = await connection.fetchval("SELECT txid_snapshot_xmax(txid_current_snapshot())")
    if not 0 <= now - written.transaction < _OLDEST:
        return False
    # A renamed, swapped, dropped or reinterpreted column leaves the rows as they are.
    columns = await connection.fetch(
        "SELECT attname, atttypid FROM pg_attribute"
        " WHERE attrelid = $1::oid AND attnum BETWEEN 1 AND $2 ORDER BY attnum",
        written.relation,
        len(layout.columns),
    )
    if tuple(c["attname"] for c in columns) != layout.columns:
        return False
    if any(c["atttypid"] != t.oid for c, t in zip(columns, layout.types, strict=False)):
        return False
    found = await connection.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE tableoid = $1::oid AND xmin = $2::text::xid)"
        f" FROM {source}",
        written.relation,
        str(written.transaction % _XIDS),
    )
    return tuple(found or ()) == (count, count)


async def rows_of_others(
    connection: asyncpg.Connection, part: TableName, transaction: int | None
) -> int:
    """Number of rows of a part that another transaction wrote; 0 when its own is not known."""
    if transaction is None:
        return 0
    return int(
        await connection.fetchval(
            f"SELECT count(*) FILTER (WHERE xmin <> $1::text::xid) FROM {quoted_table(part)}",
            str(transaction % _XIDS),
        )
    )


async def recorded_layout(connection: asyncpg.Connection, version: Version) -> TableLayout | None:
    """Names of the columns of a version that was published; None when it is not recorded."""
    row = await connection.fetchrow(
        "SELECT ARRAY(SELECT c ->> 'name' FROM jsonb_array_elements(profile -> 'columns')"
        " WITH ORDINALITY AS o (c, position) ORDER BY position) AS names,"
        " profile ->> 'geometry_column' AS geometry FROM spatial_pipeline.versions"
        " WHERE dataset = $1 AND partition IS NOT DISTINCT FROM $2 AND version = $3",
        version.dataset,
        version.partition,
        version.id,
    )
    return (
        None
        if row is None
        else TableLayout(tuple(row["names"]), (), row["geometry"], None, None, ())
    )

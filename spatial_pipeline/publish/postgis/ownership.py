"""Identity of published tables and their parts, and what their owner changed by hand.

Whether a name belongs to a dataset is in the ledger; what readers see, and who they are, is in
``readers``.
"""

from __future__ import annotations

import logging
from collections.abc import Set

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.identifiers import quoted, quoted_table

logger = logging.getLogger("spatial_pipeline")
_FAMILY = (
    "SELECT to_regclass($1)::oid AS relation"
    " UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1)"
)


async def refuse_altered(connection: asyncpg.Connection, table: TableName, ours: Set[str]) -> None:
    """Refuses a table whose owner changed what it is; a table that is not there passes.

    Args:
        connection: to the server.
        table: the published table.
        ours: columns that were published before.

    Raises:
        StoreError: it, or a part, has a trigger, a rule or a column that was added by hand, or
            belongs to a role for which we cannot act.

    """
    parent = quoted_table(table)
    owned = await connection.fetch(
        f"WITH family AS ({_FAMILY}) SELECT c.oid::regclass::text AS name,"
        " pg_get_userbyid(c.relowner) AS owner, current_user AS publisher"
        " FROM family JOIN pg_class c ON c.oid = family.relation"
        " WHERE NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1",
        parent,
    )
    for row in owned:
        owner, publisher = quoted(row["owner"]), quoted(row["publisher"])
        msg = (
            f"{table}: {row['name']} belongs to {owner}, and {publisher} may not change it:"
            f" GRANT {owner} TO {publisher}, or ALTER TABLE {row['name']} OWNER TO {publisher}"
        )
        raise StoreError(msg)
    acting = await connection.fetch(
        f"WITH family AS ({_FAMILY})"
        " SELECT 'TRIGGER' AS kind, t.tgname AS name, t.tgrelid::regclass::text AS relation"
        " FROM family JOIN pg_trigger t ON t.tgrelid = family.relation AND NOT t.tgisinternal"
        " UNION ALL SELECT 'RULE', r.rulename, r.ev_class::regclass::text"
        " FROM family JOIN pg_rewrite r ON r.ev_class = family.relation ORDER BY 1, 2",
        parent,
    )
    for row in acting:
        kind = row["kind"]
        msg = (
            f"{table}: a {kind.lower()} was added by hand, and would change what is written or"
            f" read: DROP {kind} {quoted(row['name'])} ON {row['relation']}, or put it on a"
            " table or view of your own"
        )
        raise StoreError(msg)
    added = await connection.fetchval(
        "SELECT min(attname) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
        " AND NOT attisdropped AND attname <> ALL ($2::text[])",
        parent,
        sorted(ours),
    )
    if added is not None:
        raise StoreError(added_by_hand(table, added))


def added_by_hand(table: TableName, column: str) -> str:
    """The message about a column that no version has."""
    return (
        f"{table}: column {column!r} was added by hand, and publishing would drop it:"
        " drop it yourself, rename it back, or keep it in a table of its own"
    )


async def replace_dropped(connection: asyncpg.Connection, table: TableName) -> None:
    """Makes a table that was dropped, under row-level security where the dropped one was.

    Its policies are gone; default privileges would show all rows to those who saw some.
    """
    secured = await connection.fetchval(
        "SELECT secured AND to_regclass($3) IS NULL FROM spatial_pipeline.tables"
        " WHERE table_schema = $1 AND table_name = $2",
        table.schema,
        table.table,
        quoted_table(table),
    )
    if secured:
        await connection.execute(f"CREATE TABLE {quoted_table(table)} ()")
        await connection.execute(f"ALTER TABLE {quoted_table(table)} ENABLE ROW LEVEL SECURITY")
        logger.warning(
            "%s was dropped, and its row-level policies with it: the new one shows no rows to"
            " others until there is a policy again (CREATE POLICY … ON %s)",
            table,
            quoted_table(table),
        )


def marker(version: Version, table: TableName) -> str:
    """The comment of a part, by which it is known where oids are others: after a restore."""
    return f"Rows of {version} (spatial_pipeline), read through {table}".replace("\0", "")


async def adopt(connection: asyncpg.Connection, version: Version) -> None:
    """Notes the oids of the parts of a partition after a restore gave them others."""
    rows = await connection.fetch(
        "SELECT part_schema, part_name, table_name, version, c.oid,"
        " obj_description(c.oid, 'pg_class') AS comment"
        " FROM spatial_pipeline.parts p JOIN pg_namespace n ON n.nspname = p.part_schema"
        " JOIN pg_class c ON (c.relnamespace, c.relname) = (n.oid, p.part_name)"
        " WHERE dataset = $1 AND partition IS NOT DISTINCT FROM $2 AND p.relation <> c.oid",
        version.dataset,
        version.partition,
    )
    for row in rows:
        held = Version(version.dataset, version.partition, row["version"])
        if row["comment"] == marker(held, TableName(row["part_schema"], row["table_name"])):
            await connection.execute(
                "UPDATE spatial_pipeline.parts SET relation = $3, written = NULL"
                " WHERE part_schema = $1 AND part_name = $2",
                row["part_schema"],
                row["part_name"],
                row["oid"],
            )


async def is_held(connection: asyncpg.Connection, part: TableName) -> bool:
    """True when the relation with the name of a part is the part that the ledger has."""
    return bool(
        await connection.fetchval(
            "SELECT coalesce(p.relation, c.oid) = c.oid AND c.relkind = 'r'"
            " FROM spatial_pipeline.parts p JOIN pg_class c ON c.oid = to_regclass($3)"
            " WHERE p.part_schema = $1 AND p.part_name = $2",
            part.schema,
            part.table,
            quoted_table(part),
        )
    )


async def owner_comment(connection: asyncpg.Connection, table: TableName) -> bool:
    """True when the table has a comment that no publication set."""
    return bool(
        await connection.fetchval(
            "SELECT obj_description(to_regclass($3), 'pg_class') IS DISTINCT FROM description"
            " FROM spatial_pipeline.tables WHERE table_schema = $1 AND table_name = $2"
            " AND description IS NOT NULL AND to_regclass($3) IS NOT NULL"
            " AND obj_description(to_regclass($3), 'pg_class') IS NOT NULL",
            table.schema,
            table.table,
            quoted_table(table),
        )
    )

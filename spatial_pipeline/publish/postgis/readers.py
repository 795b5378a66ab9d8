"""Access to a published table: rows beside the proven parts, and rights to read a part by name.

Reading through a parent asks for rights on the parent and for its policies alone (PostgreSQL
documentation, "Inheritance", "Row Security Policies"). A part that could be read by its own name
would show what a policy or a revoke on the parent hides.
"""

from __future__ import annotations

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis.identifiers import quoted, quoted_table


async def refuse_strangers(connection: asyncpg.Connection, table: TableName) -> None:
    """Refuses a table through which rows are read that no publication put there.

    Raises:
        StoreError: the parent has rows of its own, or children that the ledger does not know.

    """
    parent = quoted_table(table)
    own = await connection.fetchval(f"SELECT count(*) FROM ONLY {parent}")
    if own:
        msg = (
            f"{table}: {own} rows were inserted by hand; readers see them among the published ones:"
            f" move them to another table (DELETE FROM ONLY {parent})"
        )
        raise StoreError(msg)
    strange = await connection.fetch(
        "WITH RECURSIVE below AS ("
        " SELECT inhrelid, inhparent FROM pg_inherits WHERE inhparent = to_regclass($1)"
        " UNION SELECT i.inhrelid, i.inhparent FROM pg_inherits i"
        " JOIN below b ON b.inhrelid = i.inhparent)"
        " SELECT c.oid::regclass::text AS name, inhparent::regclass::text AS parent FROM below"
        " JOIN pg_class c ON c.oid = below.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        # NOT EXISTS, or names in their own collation, would scan the parts of all tables.
        " WHERE (SELECT true FROM spatial_pipeline.parts p"
        ' WHERE p.part_schema = n.nspname::text COLLATE "default"'
        ' AND p.part_name = c.relname::text COLLATE "default"'
        " AND coalesce(p.relation, c.oid) = c.oid) IS NULL ORDER BY 1",
        parent,
    )
    if strange:
        names = ", ".join(row["name"] for row in strange)
        away = "; ".join(f"ALTER TABLE {r['name']} NO INHERIT {r['parent']}" for r in strange)
        msg = (
            f"{table}: {names} inherits from it, and readers see its rows among the published ones:"
            f" take it away with {away}"
        )
        raise StoreError(msg)


_PARTS = (
    "SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity AS secured,"
    " (SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass($3)) AS wanted"
    " FROM spatial_pipeline.parts p JOIN pg_namespace n ON n.nspname = p.part_schema"
    " JOIN pg_class c ON (c.relnamespace, c.relname) = (n.oid, p.part_name)"
    " WHERE p.part_schema = $1 AND p.table_name = $2"
    " AND coalesce(p.relation, c.oid) = c.oid AND pg_has_role(c.relowner, 'USAGE')"
)


async def close_parts(connection: asyncpg.Connection, table: TableName) -> None:
    """Leaves the parts of a table readable through it only, but for their owner.

    Default privileges of a schema may have opened a part when it was made, and a GRANT on all
    tables of the schema later; the part that is kept for a rollback is no exception.
    """
    grants = await connection.fetch(
        f"WITH parts AS ({_PARTS}), granted AS ("
        " SELECT c.oid, c.relowner, c.relacl AS acl FROM parts JOIN pg_class c USING (oid)"
        " UNION ALL SELECT c.oid, c.relowner, a.attacl FROM parts JOIN pg_class c USING (oid)"
        " JOIN pg_attribute a ON a.attrelid = c.oid)"
        " SELECT DISTINCT g.oid::regclass::text AS part, x.grantee, r.rolname"
        " FROM granted g, aclexplode(g.acl) AS x LEFT JOIN pg_roles r ON r.oid = x.grantee"
        " WHERE x.grantee <> g.relowner",
        table.schema,
        table.table,
        quoted_table(table),
    )
    for row in grants:
        grantee = "PUBLIC" if not row["grantee"] else quoted(row["rolname"])
        await connection.execute(f"REVOKE ALL ON {row['part']} FROM {grantee} CASCADE")


async def secure_parts(connection: asyncpg.Connection, table: TableName) -> None:
    """Puts the parts under row security, without a policy, where their table is under it.

    A later GRANT on all tables of the schema shows no row then. Locks a part only where its row
    security changes.

    Raises:
        asyncpg.LockNotAvailableError: somebody uses such a part.

    """
    parts = await connection.fetch(_PARTS, table.schema, table.table, quoted_table(table))
    for row in parts:
        if row["wanted"] is not None and row["secured"] != row["wanted"]:
            switch = "ENABLE" if row["wanted"] else "DISABLE"
            await connection.execute(f"ALTER TABLE {row['name']} {switch} ROW LEVEL SECURITY")

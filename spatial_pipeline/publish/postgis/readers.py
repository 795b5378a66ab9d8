"""What readers of a published table see besides the proven parts, and who may read a part by name.

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
        " SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass($1)"
        " UNION SELECT i.inhrelid FROM pg_inherits i JOIN below b ON b.inhrelid = i.inhparent)"
        " SELECT c.oid::regclass::text AS name FROM below"
        " JOIN pg_class c ON c.oid = below.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE NOT EXISTS (SELECT FROM spatial_pipeline.parts p"
        " WHERE (p.part_schema, p.part_name) = (n.nspname, c.relname)) ORDER BY 1",
        parent,
    )
    if strange:
        names = ", ".join(row["name"] for row in strange)
        msg = (
            f"{table}: {names} inherits from it, and readers see its rows among the published ones:"
            " take it away with ALTER TABLE … NO INHERIT"
        )
        raise StoreError(msg)


async def hide(connection: asyncpg.Connection, table: TableName, part: TableName) -> None:
    """Leaves a part readable through its parent only, but for its owner.

    Default privileges of a schema may have opened it when it was made. Where the parent has
    policies, the part gets none but is under row security too: a later GRANT on all tables of the
    schema shows no row either.
    """
    child = quoted_table(part)
    roles = await connection.fetch(
        "SELECT DISTINCT a.grantee, r.rolname FROM pg_class c, aclexplode(c.relacl) AS a"
        " LEFT JOIN pg_roles r ON r.oid = a.grantee"
        " WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner",
        child,
    )
    for row in roles:
        grantee = "PUBLIC" if not row["grantee"] else quoted(row["rolname"])
        await connection.execute(f"REVOKE ALL ON {child} FROM {grantee}")
    secured = await connection.fetchval(
        "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass($1)", quoted_table(table)
    )
    await connection.execute(
        f"ALTER TABLE {child} {'ENABLE' if secured else 'DISABLE'} ROW LEVEL SECURITY"
    )

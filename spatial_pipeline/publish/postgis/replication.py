"""Publications of logical replication: a new part is replicated as the table is."""

from __future__ import annotations

import logging

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.publish.postgis.identifiers import quoted, quoted_table

logger = logging.getLogger("spatial_pipeline")
FILTERS_SINCE = 15
"""PostgreSQL's first release with row filters and column lists in publications."""


async def replicate(connection: asyncpg.Connection, table: TableName, part: TableName) -> None:
    """Adds a part to the publications that name its table, with their row filters and columns.

    PostgreSQL adds the children that a table has when it is added to a publication, and none that
    come later. Publications for all tables or a whole schema need nothing.
    """
    limited = connection.get_server_version().major >= FILTERS_SINCE
    limits = (
        "pg_get_expr(r.prqual, r.prrelid) AS condition,"
        " (SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a"
        " WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) AS columns"
        if limited
        else "NULL AS condition, NULL AS columns"
    )
    found = await connection.fetch(
        f"SELECT p.pubname, pg_has_role(p.pubowner, 'USAGE') AS may, {limits}"
        " FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
        " WHERE r.prrelid = to_regclass($1) AND NOT EXISTS (SELECT FROM pg_publication_rel o"
        " WHERE o.prpubid = r.prpubid AND o.prrelid = to_regclass($2)) ORDER BY 1",
        quoted_table(table),
        quoted_table(part),
    )
    for row in found:
        name = quoted(row["pubname"])
        columns = ", ".join(quoted(c) for c in row["columns"] or ())
        statement = (
            f"ALTER PUBLICATION {name} ADD TABLE ONLY {quoted_table(part)}"
            + (f" ({columns})" if columns else "")
            + (f" WHERE ({row['condition']})" if row["condition"] else "")
        )
        if row["may"]:
            await connection.execute(statement)
        else:
            logger.warning(
                "%s is in the publication %s, which belongs to another role; its rows are"
                " replicated after: %s",
                table,
                row["pubname"],
                statement,
            )

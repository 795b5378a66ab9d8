"""Published tables: parts are filled unseen, proven, then exchanged in one transaction.

A published table is an empty parent that never changes its identity, so that views, grants and
whatever else refers to it stay. Its rows are in parts, ordinary tables that inherit from it: one
for each partition of the dataset. Publishing fills a new part and exchanges it for the former one.

The rows of a part are frozen (``COPY FREEZE``): they count as older than every snapshot. So a
transaction in repeatable read that began before the exchange and comes to the table after it finds
a whole version too, where it would find an empty table with ordinary rows.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis.extension import find_postgis
from spatial_pipeline.publish.postgis.identifiers import quoted_column, quoted_table
from spatial_pipeline.publish.postgis.modifiers import conform_nulls, conform_srid
from spatial_pipeline.publish.postgis.ownership import added_by_hand, refuse_altered
from spatial_pipeline.publish.postgis.parts import TablePart
from spatial_pipeline.publish.postgis.readers import close_parts, refuse_strangers, secure_parts
from spatial_pipeline.publish.postgis.relations import columns_of, is_attached, set_comment
from spatial_pipeline.publish.postgis.replication import replicate


async def exchange(
    connection: asyncpg.Connection,
    table: TableName,
    part: TablePart,
    former: TableName | None,
    comment: str | None,
    ours: Set[str],
) -> None:
    """Makes readers of the table see this part instead of the former one of the same partition.

    Must be the last of a transaction: from here on readers wait for its end.

    Args:
        connection: in a transaction.
        table: the table that readers name.
        part: holds the rows, proven.
        former: part of the same partition that is attached now.
        comment: of the table; None leaves the one it has.
        ours: columns that were published before; others were added by hand.

    Raises:
        asyncpg.LockNotAvailableError: readers hold the table; the caller may try again.
        StoreError: the columns of the table cannot become those of the part, or readers would see
            rows that nobody proved.

    """
    parent, child = quoted_table(table), quoted_table(part.name)
    await connection.execute(f"CREATE TABLE IF NOT EXISTS {parent} ()")
    await connection.execute(f"LOCK TABLE {parent} IN ACCESS EXCLUSIVE MODE")
    await refuse_altered(connection, table, ours)
    if former is not None:
        await connection.execute(f"ALTER TABLE {quoted_table(former)} NO INHERIT {parent}")
    await _conform(connection, table, part, ours)
    await conform_nulls(connection, table, part.name, part.layout.required)
    if part.layout.geometry is not None:
        postgis = await find_postgis(connection)
        await conform_srid(connection, postgis.schema, table, part.name, part.layout.geometry)
    if not await is_attached(connection, table, part.name):
        try:
            await connection.execute(f"ALTER TABLE {child} INHERIT {parent}")
        except (asyncpg.DatatypeMismatchError, asyncpg.WrongObjectTypeError) as exc:
            msg = (
                f"{table}: a constraint or a property of a column was added by hand, which the"
                f" published rows do not have: {exc}; drop it from {parent}"
            )
            raise StoreError(msg) from exc
    await refuse_strangers(connection, table)
    await close_parts(connection, table)
    await secure_parts(connection, table)
    await replicate(connection, table, part.name)
    if comment is not None:
        await set_comment(connection, table, comment)


async def _conform(
    connection: asyncpg.Connection, table: TableName, part: TablePart, ours: Set[str]
) -> None:
    """Gives the parent the columns of the part; where other parts forbid it, the part yields."""
    parent, child = quoted_table(table), quoted_table(part.name)
    wanted = await columns_of(connection, part.name)
    present = await columns_of(connection, table)
    others = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = to_regclass($1))", parent
    )
    try:
        for name, kind in wanted.items():
            if name not in present:
                await connection.execute(f"ALTER TABLE {parent} ADD {quoted_column(name)} {kind}")
            elif present[name] != kind:
                if others:
                    msg = (
                        f"{table}: column {name!r} is {present[name]} in the other partitions and"
                        f" {kind} in this one{_way_out(part, name, (kind, present[name]))}"
                    )
                    raise StoreError(msg)
                await connection.execute(
                    f"ALTER TABLE {parent} ALTER {quoted_column(name)} TYPE {kind} USING NULL"
                )
        for name, kind in present.items():
            if name in wanted:
                continue
            if name not in ours:
                raise StoreError(added_by_hand(table, name))
            if others:
                await connection.execute(f"ALTER TABLE {child} ADD {quoted_column(name)} {kind}")
            else:
                await connection.execute(f"ALTER TABLE {parent} DROP {quoted_column(name)}")
    except (asyncpg.DependentObjectsStillExistError, asyncpg.FeatureNotSupportedError) as exc:
        msg = f"{table}: its columns cannot change: {exc} ({exc.detail})"
        raise StoreError(msg) from exc


def _way_out(part: TablePart, column: str, kinds: Sequence[str]) -> str:
    """Way out for a geometry column that cannot have two types."""
    if column != part.layout.geometry:
        return ""
    # Only geometries that differ in dimensions have a column without a type.
    if not all("(" in kind for kind in kinds):
        return (
            ": no type holds both dimensions; deliver all partitions in one (ogr2ogr -dim XY or"
            " XYZ), or publish this one to another table by a contract of its own"
        )
    return ": publish all partitions to another table, with publish: {table: …, geometry: …}"

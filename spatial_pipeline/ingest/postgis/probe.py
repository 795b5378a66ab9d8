"""Change tokens of tables, from the server's statistics and catalogues where they suffice.

A token that differs may mean nothing: a transaction that was rolled back is counted, a restart of
the server is. A token that stays the same means that ingest would read the same. So the books are
trusted only where nothing escapes them:

- Ordinary tables (partitioned and inherited ones with all their children) and materialized views
  on a server that counts and is no standby: the numbers of tuples inserted, updated and deleted
  since the server started, the files that hold the table (TRUNCATE, REFRESH, CLUSTER and rewrites
  make new ones), the transactions that last wrote its catalogue rows (ALTER TABLE), and the types
  of its columns with all that they consist of (labels of enumerations, attributes, domains).
- Everything else (views, queries, foreign tables, other storage engines, row-level security,
  columns whose text is the name of another object, servers where a login or a function writes
  without being counted, standbys, which count nothing): the fingerprint that ingest itself
  computes; the server reads all rows for it and sends one line.

A superuser who sets ``track_counts`` off in a session escapes: nothing on the server tells of it.
Counts arrive in the server's books up to some seconds after the commit, so a change may be seen one
look later; it is not missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg

from spatial_pipeline.contract.database_url import Address, admit, parse, redacted
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis import catalogue
from spatial_pipeline.ingest.postgis.session import ServerLimits, session, snapshot, translated
from spatial_pipeline.ingest.postgis.source import open_table
from spatial_pipeline.ingest.postgis.types import REFERENCES
from spatial_pipeline.runtime import hashing
from spatial_pipeline.runtime.loop_thread import PrivateLoop
from spatial_pipeline.sources.fingerprint import uri_of

LIMITS = ServerLimits(patience_s=10.0, statement_s=25.0)
"""A look at a source is short: Dagster ends a sensor after a minute."""
_SERVER = r"""
SELECT pg_catalog.pg_postmaster_start_time()::text AS started,
       pg_catalog.current_setting('track_counts')::bool
       AND NOT pg_catalog.pg_is_in_recovery()
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting, unnest(setconfig) AS s(text)
                       WHERE s.text LIKE 'track\_counts=%')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc, unnest(proconfig) AS s(text)
                       WHERE s.text LIKE 'track\_counts=%') AS counts
"""
# OFFSET 0 makes the planner look up one row by its index, whatever it thinks of the recursion:
# otherwise every look at a source may scan all types or tables of the database.
_TYPES = """
WITH RECURSIVE used AS (
    SELECT a.atttypid AS oid FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
  UNION
    SELECT part.oid FROM used CROSS JOIN LATERAL (
      SELECT * FROM pg_catalog.pg_type WHERE pg_type.oid = used.oid OFFSET 0) AS t
    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_catalog.pg_attribute a
      ON t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL (
      VALUES (t.typbasetype), (t.typelem), (r.rngsubtype), (a.atttypid)) AS part(oid)
    WHERE part.oid <> 0
)
SELECT t.oid, n.nspname, t.typname, t.xmin::text AS altered,
       (SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) AS labels,
       (SELECT pg_catalog.array_agg(a.xmin::text ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid
        AND a.attnum > 0) AS attributes,
       t.typtype IN ('b', 'c', 'd', 'e', 'r')
       AND NOT (n.nspname = 'pg_catalog' AND t.typname = ANY($2)) AS ordinary
FROM used CROSS JOIN LATERAL (
  SELECT *, xmin FROM pg_catalog.pg_type WHERE pg_type.oid = used.oid OFFSET 0) AS t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE NOT (n.nspname = 'pg_catalog' AND t.typtype = 'b' AND t.typname <> ALL($2)) ORDER BY t.oid
"""
_HOME = """
SELECT n.nspname FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis'
"""
_BOOKS = """
WITH RECURSIVE family AS (
    SELECT c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2
  UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent = f.oid
)
SELECT c.oid, c.relkind::text AS kind, c.xmin::text AS altered,
       pg_catalog.pg_relation_filenode(c.oid) AS file, pg_catalog.pg_relation_size(c.oid) AS size,
       pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS inserted,
       pg_catalog.pg_stat_get_tuples_updated(c.oid) AS updated,
       pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS deleted,
       (SELECT pg_catalog.array_agg(a.xmin::text ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns,
       (SELECT pg_catalog.array_agg(x.xmin::text ORDER BY x.indexrelid)
        FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisprimary) AS keys,
       c.relkind IN ('p', 'm') OR c.relkind = 'r' AND COALESCE(m.amname, '') = 'heap' AS ordinary,
       c.relrowsecurity AS secured
FROM family CROSS JOIN LATERAL (
  SELECT *, xmin FROM pg_catalog.pg_class WHERE pg_class.oid = family.oid OFFSET 0) AS c
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
ORDER BY c.oid
"""


def table_tokens(
    source: Source,
    partitions: Sequence[str | None],
    allowed: Sequence[str] | None = None,
    database: str | None = None,
) -> Iterator[tuple[str | None, str | SourceError]]:
    """Change tokens of the tables of a source, over one connection per server.

    Args:
        source: URI, layer and query of the contract.
        partitions: keys that are filled in; ``[None]`` without partitions.
        allowed: see :func:`spatial_pipeline.contract.database_url.admit`.
        database: SPATIAL_DATABASE_URL, which the URI ``postgresql:`` means.

    Yields:
        Every partition with its token, or with why there is none. A token is text that stays the
        same as long as ingest would read the same.

    """
    wanted: dict[str, list[tuple[str | None, Address]]] = {}
    for partition in partitions:
        try:
            address, layer = _asked(source, partition, database)
            admit(address, layer, allowed)
        except SourceError as exc:
            yield partition, exc
        else:
            wanted.setdefault(address.dsn, []).append((partition, address))
    for asked in wanted.values():
        try:
            with session(asked[0][1], LIMITS) as (loop, connection):
                for partition, address in asked:
                    yield partition, _token(loop, connection, source, address)
                asked.clear()
        except SourceError as exc:
            for partition, _ in asked:
                yield partition, exc


def _token(
    loop: PrivateLoop, connection: asyncpg.Connection, source: Source, address: Address
) -> str | SourceError:
    layer = address.place.table or source.layer
    try:
        books = None
        if source.query is None:
            books = loop.run(translated(lambda: _books(connection, layer), address, connection))
        if books is not None:
            return hashing.fingerprint("books", address.place.database, books)
        with open_table(address, layer, source.query, LIMITS) as table:
            return hashing.fingerprint("content", table.name, table.content)
    except SourceError as exc:
        if isinstance(exc.__cause__, asyncpg.QueryCanceledError):
            return SourceError(
                f"{redacted(source.uri)}: the server needs more than {LIMITS.statement_s:g} s to "
                "tell whether the rows changed: use schedule instead of watch"
            )
        return exc


async def _books(connection: asyncpg.Connection, layer: str | None) -> list[Any] | None:
    """Statistics and catalogue rows of a table; None when they may miss a change."""
    async with snapshot(connection, LIMITS):
        server = await connection.fetchrow(_SERVER)
        if server is None or not server["counts"]:
            return None
        relation = await catalogue.table(connection, layer)
        name = relation.name
        if name is None:
            return None
        family = await connection.fetch(_BOOKS, name.schema, name.table)
        if any(not r["ordinary"] or r["secured"] for r in family):
            return None
        types = await connection.fetch(_TYPES, relation.sql, list(REFERENCES))
        if any(not r["ordinary"] for r in types):
            return None
        declared = [[c.name, c.declared, c.nullable] for c in relation.columns]
        reference = await _reference_systems(connection, relation.postgis)
    return [server["started"], str(name), declared, _plain(family), _plain(types), reference]


async def _reference_systems(
    connection: asyncpg.Connection, postgis: str | None
) -> list[dict[str, str]]:
    """The books of the table of reference systems, which say what an SRID means."""
    if postgis is None:
        return []
    home = await connection.fetchval(_HOME)
    return _plain(await connection.fetch(_BOOKS, home, "spatial_ref_sys"))


def _plain(rows: Sequence[asyncpg.Record]) -> list[dict[str, str]]:
    return [{k: str(v) for k, v in r.items()} for r in rows]


def _asked(
    source: Source, partition: str | None, database: str | None
) -> tuple[Address, str | None]:
    uri = uri_of(source, partition)
    address = parse(uri, database)
    given = [g for g in (address.place.table, source.layer, source.query) if g is not None]
    if len(given) > 1:
        msg = f"{redacted(uri)}: name one of: ?table= in the uri, layer, query"
        raise SourceError(msg)
    return address, address.place.table or source.layer

"""Migrations of the schema ``spatial_pipeline``, which records versions and publications."""

from __future__ import annotations

import asyncpg

from spatial_pipeline.publish.postgis.advisory_lock import limit_waits
from spatial_pipeline.publish.postgis.lock_holders import holders
from spatial_pipeline.store.locks import TIMEOUT_S, Patience

LOCK = 0x5350_4154_4941_4C00
"""Key of the advisory lock under which one session migrates; the others wait, and say so."""
MIGRATIONS = (
    """
    CREATE TABLE spatial_pipeline.versions (
        dataset text NOT NULL,
        partition text,
        version text NOT NULL,
        profile jsonb NOT NULL,
        verdict jsonb NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE UNIQUE INDEX ON spatial_pipeline.versions
        (dataset, (partition IS NULL), (coalesce(partition, '')), version);
    COMMENT ON TABLE spatial_pipeline.versions IS
        'Every version that was published, with the verdict that let it out.';

    CREATE TABLE spatial_pipeline.publications (
        dataset text NOT NULL,
        partition text,
        version text NOT NULL,
        contract_hash text NOT NULL,
        published_at text NOT NULL,
        history text[] NOT NULL,
        withdrawn text[] NOT NULL
    );
    CREATE UNIQUE INDEX ON spatial_pipeline.publications
        (dataset, (partition IS NULL), (coalesce(partition, '')));
    COMMENT ON TABLE spatial_pipeline.publications IS
        'What readers see of each dataset and partition.';

    CREATE TABLE spatial_pipeline.tables (
        table_schema text NOT NULL,
        table_name text NOT NULL,
        dataset text NOT NULL,
        PRIMARY KEY (table_schema, table_name)
    );
    COMMENT ON TABLE spatial_pipeline.tables IS 'Tables that datasets are published to.';

    CREATE TABLE spatial_pipeline.parts (
        part_schema text NOT NULL,
        part_name text NOT NULL,
        table_name text NOT NULL,
        dataset text NOT NULL,
        partition text,
        version text NOT NULL,
        state text NOT NULL CHECK (state IN ('current', 'previous', 'obsolete')),
        PRIMARY KEY (part_schema, part_name)
    );
    COMMENT ON TABLE spatial_pipeline.parts IS
        'The tables that hold the rows: the current one is attached, the previous one is kept.';

    CREATE TABLE spatial_pipeline.rasters (
        dataset text NOT NULL,
        partition text,
        version text NOT NULL,
        href text NOT NULL,
        crs text,
        footprint jsonb,
        profile jsonb NOT NULL
    );
    CREATE UNIQUE INDEX ON spatial_pipeline.rasters
        (dataset, (partition IS NULL), (coalesce(partition, '')));
    COMMENT ON TABLE spatial_pipeline.rasters IS
        'Published rasters: address of the COG, footprint as GeoJSON in its CRS, profile.';
    """,
    """
    ALTER TABLE spatial_pipeline.tables ADD relation oid;
    COMMENT ON COLUMN spatial_pipeline.tables.relation IS
        'The table as it was when it was published last; a name may be given to another one.';
    ALTER TABLE spatial_pipeline.parts
        ADD row_count bigint, ADD attributes numeric, ADD geometry numeric;
    COMMENT ON COLUMN spatial_pipeline.parts.attributes IS
        'Sum over the rows of 60 bits of the MD5 of the attributes, as they were proven.';
    COMMENT ON COLUMN spatial_pipeline.parts.geometry IS
        'Sum over the rows of 60 bits of the MD5 of the geometries, as they were proven.';
    """,
    """
    ALTER TABLE spatial_pipeline.publications ADD number bigint NOT NULL DEFAULT 0;
    COMMENT ON COLUMN spatial_pipeline.publications.number IS
        'Counts the changes of the pointer: of this one and published.json, the later is greater.';
    """,
    """
    ALTER TABLE spatial_pipeline.tables ADD description text, ADD secured boolean;
    COMMENT ON COLUMN spatial_pipeline.tables.description IS
        'The comment that was set last; another one is the owner''s and stays.';
    COMMENT ON COLUMN spatial_pipeline.tables.secured IS
        'Whether the table had row-level security; one that replaces it has it from the start.';
    ALTER TABLE spatial_pipeline.parts ADD relation oid, ADD written bigint;
    COMMENT ON COLUMN spatial_pipeline.parts.relation IS
        'The part as it was filled; a name may be given to another table.';
    COMMENT ON COLUMN spatial_pipeline.parts.written IS
        'The transaction that filled the part: rows of another one were not proven.';
    CREATE INDEX ON spatial_pipeline.parts (dataset);
    CREATE INDEX ON spatial_pipeline.parts (part_schema, table_name);
    """,
)


async def migrate(connection: asyncpg.Connection, patience_s: float = TIMEOUT_S) -> None:
    """Brings the schema up to date; does nothing when it is.

    Args:
        connection: outside of a transaction.
        patience_s: longest wait for a session that migrates, or uses a table that changes.

    Raises:
        StoreError: another session holds the schema and does not give it back in time.
        asyncpg.PostgresError: the role may not create the schema.

    """
    if await _done(connection) == len(MIGRATIONS):
        return
    patience = Patience("the schema spatial_pipeline of the database", patience_s)
    while True:
        try:
            async with connection.transaction():
                await limit_waits(connection, patience)
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                await _apply(connection)
        except asyncpg.LockNotAvailableError:
            if patience.due:
                patience.say(await holders(connection, LOCK, schema="spatial_pipeline"))
        else:
            return


async def _apply(connection: asyncpg.Connection) -> None:
    """Applies the migrations that were not, all in the transaction of the caller."""
    done = await _done(connection)
    if not done:
        await connection.execute(
            "CREATE SCHEMA IF NOT EXISTS spatial_pipeline;"
            "CREATE TABLE IF NOT EXISTS spatial_pipeline.migrations"
            " (number int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
        await connection.execute(statements)
        await connection.execute(
            "INSERT INTO spatial_pipeline.migrations (number) VALUES ($1)", number
        )


async def _done(connection: asyncpg.Connection) -> int:
    # Not to_regclass: it may answer from what the session knew before another one migrated.
    there = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'spatial_pipeline' AND c.relname = 'migrations')"
    )
    if not there:
        return 0
    done = await connection.fetchval("SELECT max(number) FROM spatial_pipeline.migrations")
    return int(done or 0)

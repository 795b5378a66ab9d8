"""What the schema ``spatial_pipeline`` knows: publications, verdicts, parts, rasters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.postgis.binary import Digest
from spatial_pipeline.publish.postgis.identifiers import quoted_table
from spatial_pipeline.publish.postgis.tables import relation_kind
from spatial_pipeline.runtime.json_text import plain

_OF = "dataset = $1 AND partition IS NOT DISTINCT FROM $2"
_CONFLICT = "(dataset, (partition IS NULL), (coalesce(partition, ''))"


@dataclass(frozen=True, slots=True)
class KnownPart:
    """A part as the ledger has it.

    Attributes:
        name: its name.
        version: what it holds.
        state: ``current``, ``previous`` or ``obsolete``.
        proven: what its rows were proven to hold; None when an earlier release published it.

    """

    name: TableName
    version: str
    state: str
    proven: Digest | None


async def published(
    connection: asyncpg.Connection, dataset: str, partition: str | None
) -> Publication | None:
    """What the database's readers see; None when nothing was published to it."""
    row = await connection.fetchrow(
        f"SELECT * FROM spatial_pipeline.publications WHERE {_OF}", dataset, partition
    )
    if row is None:
        return None
    return Publication(
        version=row["version"],
        contract_hash=row["contract_hash"],
        published_at=row["published_at"],
        history=tuple(row["history"]),
        withdrawn=tuple(row["withdrawn"]),
        number=row["number"],
    )


async def record(
    connection: asyncpg.Connection,
    version: Version,
    publication: Publication,
    profile: Profile,
    verdict: Verdict,
) -> None:
    """Writes down what becomes published with this transaction, and why it may."""
    await connection.execute(
        "INSERT INTO spatial_pipeline.versions (dataset, partition, version, profile, verdict)"
        f" VALUES ($1, $2, $3, $4, $5) ON CONFLICT {_CONFLICT}, version)"
        " DO UPDATE SET verdict = excluded.verdict, recorded_at = now()",
        version.dataset,
        version.partition,
        version.id,
        _jsonb(profile.to_json()),
        _jsonb(verdict.to_json()),
    )
    await connection.execute(
        "INSERT INTO spatial_pipeline.publications (dataset, partition, version, contract_hash,"
        " published_at, history, withdrawn, number) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        f" ON CONFLICT {_CONFLICT}) DO UPDATE SET version = excluded.version,"
        " contract_hash = excluded.contract_hash, published_at = excluded.published_at,"
        " history = excluded.history, withdrawn = excluded.withdrawn, number = excluded.number",
        version.dataset,
        version.partition,
        publication.version,
        publication.contract_hash,
        publication.published_at,
        list(publication.history),
        list(publication.withdrawn),
        publication.number,
    )


async def record_raster(
    connection: asyncpg.Connection, version: Version, href: str, profile: RasterProfile
) -> None:
    """Registers the published raster of a partition."""
    footprint = None
    if profile.width and profile.height:
        a, b, c, d, e, f = profile.transform
        corners = [(0, 0), (0, profile.height), (profile.width, profile.height), (profile.width, 0)]
        ring = [[a * i + b * j + c, d * i + e * j + f] for i, j in [*corners, corners[0]]]
        footprint = {"type": "Polygon", "coordinates": [ring]}
    await connection.execute(
        "INSERT INTO spatial_pipeline.rasters VALUES ($1, $2, $3, $4, $5, $6, $7)"
        f" ON CONFLICT {_CONFLICT}) DO UPDATE SET version = excluded.version,"
        " href = excluded.href, crs = excluded.crs, footprint = excluded.footprint,"
        " profile = excluded.profile",
        version.dataset,
        version.partition,
        version.id,
        href,
        profile.crs,
        footprint,
        _jsonb(profile.to_json()),
    )


async def parts(
    connection: asyncpg.Connection, version: Version, table: TableName
) -> list[KnownPart]:
    """Parts of a table that hold a partition or held it."""
    rows = await connection.fetch(
        "SELECT part_schema, part_name, version, state, row_count, attributes, geometry"
        f" FROM spatial_pipeline.parts WHERE {_OF} AND part_schema = $3 AND table_name = $4",
        version.dataset,
        version.partition,
        table.schema,
        table.table,
    )
    return [
        KnownPart(
            name=TableName(r["part_schema"], r["part_name"]),
            version=r["version"],
            state=r["state"],
            proven=None
            if r["row_count"] is None
            else Digest(r["row_count"], int(r["attributes"]), int(r["geometry"])),
        )
        for r in rows
    ]


async def left_behind(
    connection: asyncpg.Connection, version: Version, table: TableName
) -> list[TableName]:
    """Other tables that the partition was published to before and that still hold it."""
    rows = await connection.fetch(
        f"SELECT DISTINCT part_schema, table_name FROM spatial_pipeline.parts WHERE {_OF}"
        " AND (part_schema, table_name) IS DISTINCT FROM ($3, $4) ORDER BY 1, 2",
        version.dataset,
        version.partition,
        table.schema,
        table.table,
    )
    return [TableName(r["part_schema"], r["table_name"]) for r in rows]


async def record_part(
    connection: asyncpg.Connection,
    version: Version,
    table: TableName,
    part: TableName,
    proven: Digest,
) -> None:
    """Makes a part the current one; the current becomes the previous, the previous obsolete."""
    await connection.execute(
        "UPDATE spatial_pipeline.parts SET state ="
        f" CASE state WHEN 'current' THEN 'previous' ELSE 'obsolete' END WHERE {_OF}"
        " AND part_schema = $3 AND table_name = $4 AND part_name <> $5",
        version.dataset,
        version.partition,
        table.schema,
        table.table,
        part.table,
    )
    await connection.execute(
        "INSERT INTO spatial_pipeline.parts VALUES ($1, $2, $3, $4, $5, $6, 'current', $7, $8, $9)"
        " ON CONFLICT (part_schema, part_name) DO UPDATE SET state = 'current',"
        " row_count = excluded.row_count, attributes = excluded.attributes,"
        " geometry = excluded.geometry",
        part.schema,
        part.table,
        table.table,
        version.dataset,
        version.partition,
        version.id,
        proven.count,
        proven.attributes,
        proven.geometry,
    )


async def refuse_foreign(connection: asyncpg.Connection, table: TableName, dataset: str) -> None:
    """Refuses to publish over what is not this dataset's, or not any more.

    A table is ours when it is the one that was published last, by its oid; after a restore from a
    dump, which gives all tables other oids, when rows of ours are read through it.

    Raises:
        StoreError: the table belongs to somebody else.

    """
    owner = await connection.fetchrow(
        "SELECT dataset, relation FROM spatial_pipeline.tables"
        " WHERE table_schema = $1 AND table_name = $2",
        table.schema,
        table.table,
    )
    if owner is not None and owner["dataset"] != dataset:
        msg = f"{table} holds the dataset {owner['dataset']!r}; publish {dataset} to another table"
        raise StoreError(msg)
    if await relation_kind(connection, table) is None:
        return
    if owner is None:
        msg = f"{table} exists and was not made by spatial_pipeline: drop it or name another table"
        raise StoreError(msg)
    ours = owner["relation"] is None or await connection.fetchval(
        "SELECT $2::oid = to_regclass($1) OR EXISTS (SELECT FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN spatial_pipeline.parts p ON (p.part_schema, p.part_name) = (n.nspname, c.relname)"
        " WHERE i.inhparent = to_regclass($1))",
        quoted_table(table),
        owner["relation"],
    )
    if not ours:
        msg = (
            f"{table} was dropped and made again by somebody else since it was published: drop or"
            " rename it, or name another table"
        )
        raise StoreError(msg)


async def published_columns(connection: asyncpg.Connection, dataset: str) -> set[str]:
    """Names of the columns that any recorded version of a dataset has."""
    rows = await connection.fetch(
        "SELECT c.value ->> 'name' AS name FROM spatial_pipeline.versions,"
        " jsonb_array_elements(profile -> 'columns') AS c WHERE dataset = $1"
        " UNION SELECT profile ->> 'geometry_column' FROM spatial_pipeline.versions"
        " WHERE dataset = $1",
        dataset,
    )
    return {row["name"] for row in rows}


async def claim(connection: asyncpg.Connection, table: TableName, dataset: str) -> None:
    """Notes that a table belongs to a dataset, unless it belongs to somebody else."""
    await refuse_foreign(connection, table, dataset)
    await connection.execute(
        "INSERT INTO spatial_pipeline.tables VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        table.schema,
        table.table,
        dataset,
    )


async def recognise(connection: asyncpg.Connection, table: TableName) -> None:
    """Notes which relation has the name of a published table now."""
    await connection.execute(
        "UPDATE spatial_pipeline.tables SET relation = to_regclass($3)"
        " WHERE table_schema = $1 AND table_name = $2",
        table.schema,
        table.table,
        quoted_table(table),
    )


async def sweep(connection: asyncpg.Connection, version: Version) -> None:
    """Drops obsolete parts of a partition; those that somebody reads wait for the next run."""
    names = await connection.fetch(
        "SELECT part_schema, part_name FROM spatial_pipeline.parts"
        f" WHERE {_OF} AND state = 'obsolete'",
        version.dataset,
        version.partition,
    )
    for row in names:
        name = TableName(row["part_schema"], row["part_name"])
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '250ms'")
                await connection.execute(f"DROP TABLE IF EXISTS {quoted_table(name)}")
                await connection.execute(
                    "DELETE FROM spatial_pipeline.parts WHERE part_schema = $1 AND part_name = $2",
                    name.schema,
                    name.table,
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DependentObjectsStillExistError):
            continue


def _jsonb(value: object) -> object:
    """A JSON value without what jsonb cannot hold: the character NUL."""
    return _without_nul(plain(value))


def _without_nul(value: Any) -> Any:
    match value:
        case dict():
            return {_without_nul(k): _without_nul(v) for k, v in value.items()}
        case list():
            return [_without_nul(v) for v in value]
        case str():
            return value.replace("\0", "\ufffd")
    return value

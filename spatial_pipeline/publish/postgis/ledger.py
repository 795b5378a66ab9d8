"""Ledger in the schema ``spatial_pipeline``: publications, verdicts, parts, rasters."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import asyncpg

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.publish.postgis.binary import Digest
from spatial_pipeline.publish.postgis.identifiers import quoted, quoted_table
from spatial_pipeline.publish.postgis.proof import RowOrigin
from spatial_pipeline.publish.postgis.relations import relation_kind
from spatial_pipeline.runtime.json_text import plain

logger = logging.getLogger("spatial_pipeline")
_OF = "dataset = $1 AND partition IS NOT DISTINCT FROM $2"
_CONFLICT = "(dataset, (partition IS NULL), (coalesce(partition, ''))"


@dataclass(frozen=True, slots=True)
class KnownPart:
    """A part as the ledger has it.

    Attributes:
        name: its name.
        version: version in it.
        state: ``current``, ``previous`` or ``obsolete``.
        proven: digest of its verified rows; None when an earlier release published it.
        written: origin of its rows; None when an earlier release published it, or after a restore.

    """

    name: TableName
    version: str
    state: str
    proven: Digest | None
    written: RowOrigin | None


async def published(
    connection: asyncpg.Connection, dataset: str, partition: str | None
) -> Publication | None:
    """Publication that the database's readers see; None when nothing was published to it."""
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
        "SELECT part_schema, part_name, version, state, row_count, attributes, geometry,"
        " relation, written"
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
            written=None
            if r["written"] is None or r["relation"] is None
            else RowOrigin(r["relation"], r["written"]),
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
    written: RowOrigin | None,
) -> None:
    """Makes a part the current one; the current becomes the previous, the previous obsolete.

    Args:
        connection: in a transaction.
        version: version in the part.
        table: the table through which it is read.
        part: its name.
        proven: digest of its verified rows.
        written: origin of its rows, None for a part that was there already.

    """
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
        "INSERT INTO spatial_pipeline.parts VALUES"
        " ($1, $2, $3, $4, $5, $6, 'current', $7, $8, $9, $10, $11)"
        " ON CONFLICT (part_schema, part_name) DO UPDATE SET state = 'current',"
        " row_count = excluded.row_count, attributes = excluded.attributes,"
        " geometry = excluded.geometry, relation = coalesce(excluded.relation, parts.relation),"
        " written = coalesce(excluded.written, parts.written)",
        part.schema,
        part.table,
        table.table,
        version.dataset,
        version.partition,
        version.id,
        proven.count,
        proven.attributes,
        proven.geometry,
        None if written is None else written.relation,
        None if written is None else written.transaction,
    )


async def remember_origin(
    connection: asyncpg.Connection, part: TableName, origin: RowOrigin | None
) -> None:
    """Notes the origin of rows that were proven again; None leaves what is known."""
    if origin is not None:
        await connection.execute(
            "UPDATE spatial_pipeline.parts SET relation = $3, written = $4"
            " WHERE part_schema = $1 AND part_name = $2"
            " AND (relation, written) IS DISTINCT FROM ($3, $4)",
            part.schema,
            part.table,
            origin.relation,
            origin.transaction,
        )


async def refuse_foreign(connection: asyncpg.Connection, table: TableName, dataset: str) -> None:
    """Refuses to publish over what is not this dataset's, or not any more.

    A table is ours when it is the one that was published last, by its oid; after a restore from a
    dump, which gives all tables other oids, when rows of ours are read through it.

    Raises:
        StoreError: the table belongs to somebody else, or has another name now.

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
    kind = await relation_kind(connection, table)
    if owner is None:
        if kind is not None:
            msg = (
                f"{table} exists and was not made by spatial_pipeline: drop it or name another"
                " table"
            )
            raise StoreError(msg)
        return
    shown = await connection.fetch(
        "SELECT i.inhparent AS relation, i.inhparent::regclass::text AS name,"
        " (SELECT relnamespace = n.oid FROM pg_class WHERE oid = i.inhparent) AS stayed,"
        " i.inhparent = to_regclass($3) AS here"
        " FROM spatial_pipeline.parts p JOIN pg_namespace n ON n.nspname = p.part_schema"
        " JOIN pg_class c ON (c.relnamespace, c.relname) = (n.oid, p.part_name)"
        " AND c.oid = coalesce(p.relation, c.oid)"
        " JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE p.part_schema = $1 AND p.table_name = $2",
        table.schema,
        table.table,
        quoted_table(table),
    )
    moved = [r for r in shown if r["relation"] == owner["relation"] and not r["here"]]
    if moved:
        name = moved[0]["name"]
        back = f"RENAME TO {quoted(table.table)}"
        if not moved[0]["stayed"]:
            back = f"SET SCHEMA {quoted(table.schema)}"
        msg = (
            f"{table} was renamed to {name}, which still shows what was published:"
            f" {'' if kind is None else 'drop or rename what has its name now, then '}rename it"
            f" back with ALTER TABLE {name} {back} (to keep a copy: CREATE TABLE … AS TABLE {name})"
        )
        raise StoreError(msg)
    if kind is None or (kind == "r" and owner["relation"] is None):
        return
    if not any(r["here"] for r in shown) and not await connection.fetchval(
        "SELECT $2::oid = to_regclass($1)", quoted_table(table), owner["relation"]
    ):
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
        " WHERE dataset = $1 AND profile ->> 'geometry_column' IS NOT NULL",
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


async def recognise(
    connection: asyncpg.Connection, table: TableName, description: str | None
) -> None:
    """Notes which relation has the name of a published table now, and the comment it was given."""
    await connection.execute(
        "UPDATE spatial_pipeline.tables t SET relation = c.oid, secured = c.relrowsecurity,"
        " description = coalesce($4, description) FROM pg_class c"
        " WHERE c.oid = to_regclass($3) AND table_schema = $1 AND table_name = $2"
        " AND (t.relation, t.secured, t.description) IS DISTINCT FROM"
        " (c.oid, c.relrowsecurity, coalesce($4, description))",
        table.schema,
        table.table,
        quoted_table(table),
        description,
    )


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

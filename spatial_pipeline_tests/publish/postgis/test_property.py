"""Random tables of all types: the published table is the staged one, or the difference is named.

``SPATIAL_PROPERTY_TABLES=5000`` in the environment of pytest tries as many tables as it says. They
go to one database over connections that stay open, some at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.publish.postgis.pool import Database
from spatial_pipeline.publish.postgis.wkb_types import as_binary, promoted
from spatial_pipeline_tests.publish.postgis.projects import Project
from spatial_pipeline_tests.publish.postgis.random_tables import (
    DIMENSIONS,
    RandomTable,
    tables,
    wkb,
)

AT_ONCE = 4
"""Tables under way together: one is staged while another is published."""
TABLES = int(os.environ.get("SPATIAL_PROPERTY_TABLES", "12"))
SRID = 25832


def write(path: Path, table: RandomTable) -> None:
    """A GeoParquet file, or a Parquet file without geometry."""
    columns: dict[str, pa.Array] = {"id": pa.array(range(len(table.values[0])), pa.int64())}
    for i, (kind, values) in enumerate(zip(table.kinds, table.values, strict=True)):
        columns[f"c{i}"] = kind.array(values)
    made = pa.table(columns)
    if table.wkb is not None:
        made = made.append_column("geometry", pa.array(table.wkb, pa.binary()))
        about = {"encoding": "WKB", "geometry_types": []}
        crs = {"crs": pyproj.CRS(SRID).to_json_dict()}
        geo = {"version": "1.1.0", "primary_column": "geometry",
               "columns": {"geometry": about | crs}}  # fmt: skip
        made = made.replace_schema_metadata({"geo": json.dumps(geo)})
    pq.write_table(made, path)


async def differences(connection: asyncpg.Connection, name: str, table: RandomTable) -> list[Any]:
    """Rows that only one of the published table and the expected one has, by the text of values."""
    names = [f"c{i}" for i in range(len(table.kinds))]
    rows = await connection.fetch(
        "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        name,
    )
    types = {r["attname"]: r["type"] for r in rows}
    casts = [f"${i}::text::{types[n]}" for i, n in enumerate(names, 2)]
    columns, place = ["id", *names], ""
    if table.wkb is not None:
        columns.append("geometry")
        place = f"ST_SetSRID(ST_GeomFromWKB(${len(names) + 2}::bytea), {SRID})"
        kind = await connection.fetchval(
            "SELECT postgis_typmod_type(atttypmod) FROM pg_attribute"
            " WHERE attrelid = $1::text::regclass AND attname = 'geometry'",
            name,
        )
        casts.append(f"ST_Multi({place})" if kind.startswith("Multi") else place)
    await connection.execute(f"CREATE TEMP TABLE expected (LIKE {name})")
    values = [[*range(len(table.values[0]))], *table.texts]
    values += [] if table.wkb is None else [table.wkb]
    await connection.executemany(
        f"INSERT INTO expected ({', '.join(columns)}) VALUES ($1, {', '.join(casts)})",
        list(zip(*values, strict=True)),
    )
    shown = ["id"] + [f"{n}::{'jsonb' if types[n] == 'json' else 'text'}" for n in names
                      if "\\u0000" not in str(table.texts[int(n[1:])])]  # fmt: skip
    if table.wkb is not None:
        shown.append("encode(ST_AsEWKB(geometry), 'hex')")
    select = f"SELECT {', '.join(shown)} FROM"
    found: list[Any] = []
    for one, other in ((name, "expected"), ("expected", name)):
        found += await connection.fetch(f"{select} {one} EXCEPT {select} {other}")
    await connection.execute("DROP TABLE expected")
    return found


def drawn(count: int) -> list[RandomTable]:
    """As many random tables."""
    found: list[RandomTable] = []

    @given(tables())
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
    def collect(table: RandomTable) -> None:
        found.append(table)

    collect()
    return found


@dataclass
class Eyes:
    """A session that looks at published tables, one at a time."""

    connection: asyncpg.Connection
    free: asyncio.Lock = field(default_factory=asyncio.Lock)


async def compare(
    project: Project, database: Database, eyes: Eyes, name: str, table: RandomTable
) -> None:
    """Publishes a table and compares it with the expected one; says where its file is if not."""
    source = project.folder / f"{name}.parquet"
    write(source, table)
    of = VectorContract.model_validate(
        {
            "name": name,
            "source": {"uri": str(source)},
            "publish": {"table": f"gis.{name}"},
            "rules": [{"rule": "feature_count", "min": 0}],
        }
    )
    pipeline = Pipeline.of([of], project.settings(), database)
    try:
        version = await asyncio.to_thread(pipeline.stage, of, None)
        audit = await pipeline.audit(of, version)
        assert all(r.passed for r in audit.results), audit.results
        if table.lost:
            with pytest.raises(StoreError, match="|".join(table.lost)):
                await pipeline.apublish(of, version)
        else:
            await pipeline.apublish(of, version)
            async with eyes.free:
                assert await differences(eyes.connection, f"gis.{name}", table) == []
    except BaseException as exc:
        exc.add_note(f"the table is in {source}")
        raise
    source.unlink()
    shutil.rmtree(project.folder / "store" / name)


@pytest.mark.timeout(300 + 5 * TABLES)
def test_a_table_is_published_as_it_was_or_the_difference_is_named(project: Project) -> None:
    left = [(f"random_{i}", table) for i, table in enumerate(drawn(TABLES))]

    async def worker(database: Database, eyes: Eyes) -> None:
        while left:
            await compare(project, database, eyes, *left.pop())

    async def story() -> None:
        database = project.pipeline().database
        assert database is not None
        connection = await asyncpg.connect(project.dsn)
        try:
            await connection.execute("SET TimeZone = 'UTC'")
            eyes = Eyes(connection)
            async with database.opened(), asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(worker(database, eyes))
        finally:
            await connection.close()

    asyncio.run(story())
    assert not left


SHAPES = st.tuples(st.integers(1, 7), st.sampled_from([*DIMENSIONS])).flatmap(lambda k: wkb(*k))
AS_BINARY = (
    "SELECT ST_AsBinary(ST_GeomFromWKB(g), 'NDR'), ST_AsBinary(ST_Multi(ST_GeomFromWKB(g)), 'NDR')"
    " FROM unnest($1::bytea[]) WITH ORDINALITY AS t (g, i) ORDER BY i"
)


@given(st.lists(SHAPES, min_size=1, max_size=12))
@settings(max_examples=20, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_bytes_and_promotion_are_those_of_postgis(project: Project, shapes: list[bytes]) -> None:
    async def asked() -> list[tuple[bytes, bytes]]:
        connection = await asyncpg.connect(project.dsn)
        try:
            return [tuple(r) for r in await connection.fetch(AS_BINARY, shapes)]
        finally:
            await connection.close()

    there = asyncio.run(asked())
    column = pa.array(shapes, pa.binary())
    assert as_binary(column).to_pylist() == [plain for plain, _ in there]
    single = [i for i, shape in enumerate(shapes) if shape[1] != 7]
    multi = as_binary(promoted(column)[0]).to_pylist()
    assert [multi[i] for i in single] == [there[i][1] for i in single]

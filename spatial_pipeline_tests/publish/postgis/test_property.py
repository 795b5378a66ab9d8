"""Random tables of all types: the published table is the staged one, or the difference is named.

``SPATIAL_PROPERTY_TABLES=5000`` in the environment of pytest tries as many tables as it says.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
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
from spatial_pipeline.publish.postgis.wkb_types import as_binary, promoted
from spatial_pipeline_tests.publish.postgis.projects import Project
from spatial_pipeline_tests.publish.postgis.random_tables import (
    DIMENSIONS,
    RandomTable,
    tables,
    wkb,
)

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


async def differences(dsn: str, table: RandomTable) -> list[Any]:
    """Rows that only one of the published table and the expected one has, by the text of values."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET TimeZone = 'UTC'")
        names = [f"c{i}" for i in range(len(table.kinds))]
        rows = await connection.fetch(
            "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute"
            " WHERE attrelid = 'gis.random'::regclass AND attnum > 0 AND NOT attisdropped"
        )
        types = {r["attname"]: r["type"] for r in rows}
        casts = [f"${i}::text::{types[n]}" for i, n in enumerate(names, 2)]
        columns, place = ["id", *names], ""
        if table.wkb is not None:
            columns.append("geometry")
            place = f"ST_SetSRID(ST_GeomFromWKB(${len(names) + 2}::bytea), {SRID})"
            kind = await connection.fetchval(
                "SELECT postgis_typmod_type(atttypmod) FROM pg_attribute"
                " WHERE attrelid = 'gis.random'::regclass AND attname = 'geometry'"
            )
            casts.append(f"ST_Multi({place})" if kind.startswith("Multi") else place)
        await connection.execute("CREATE TEMP TABLE expected (LIKE gis.random)")
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
        for one, other in (("gis.random", "expected"), ("expected", "gis.random")):
            found += await connection.fetch(f"{select} {one} EXCEPT {select} {other}")
        return found
    finally:
        await connection.close()


@given(tables())
@settings(max_examples=TABLES, deadline=None, phases=[Phase.reuse, Phase.generate],
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow,
                                 HealthCheck.data_too_large])  # fmt: skip
def test_a_table_is_published_as_it_was_or_the_difference_is_named(
    project: Project, table: RandomTable
) -> None:
    source = project.folder / "random.parquet"
    write(source, table)
    shutil.rmtree(project.folder / "store", ignore_errors=True)
    of = VectorContract.model_validate(
        {
            "name": "random",
            "source": {"uri": str(source)},
            "publish": {"table": "gis.random"},
            "rules": [{"rule": "feature_count", "min": 0}],
        }
    )

    async def fresh() -> None:
        connection = await asyncpg.connect(project.dsn)
        await connection.execute(
            "DROP TABLE IF EXISTS gis.random CASCADE;DROP SCHEMA IF EXISTS spatial_pipeline CASCADE"
        )
        await connection.close()

    asyncio.run(fresh())
    pipeline = project.pipeline(of)
    version = pipeline.stage(of, None)
    audit = asyncio.run(pipeline.audit(of, version))
    assert all(r.passed for r in audit.results), audit.results
    if table.lost:
        with pytest.raises(StoreError, match="|".join(table.lost)):
            asyncio.run(pipeline.apublish(of, version))
        return
    asyncio.run(pipeline.apublish(of, version))
    assert asyncio.run(differences(project.dsn, table)) == []


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

"""Points that must be covered by polygons of 500 vertices, beside the peers on the same files.

    python benchmarks/covered.py --features 200000 --repeat 3 --peers-python .venv-peers/bin/python

N points in N/200 polygons; every thousandth lies outside of all. The answer is their identifiers.
``covered_polygons.py`` asks the same of polygons of 17 vertices.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import turns

SQL = """SELECT p.id FROM p WHERE p.id NOT IN
(SELECT p.id FROM p JOIN c ON {predicate}(c.geometry, p.geometry))"""
"""A bare spatial join inside: that is what the engines have a fast way for."""


def generate(folder: Path, count: int, vertices: int = 0) -> None:
    """Writes features and the polygons around them, and stages both.

    Args:
        folder: where to.
        count: number of features.
        vertices: of a feature; 0 makes points.

    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyproj
    import shapely
    from product import staged

    polygons = max(count // 200, 1)
    columns = int(polygons**0.5) + 1
    turn = np.linspace(0, 2 * np.pi, 500, endpoint=False)
    radius = 40 * (1 + 0.1 * np.sin(9 * turn))
    cell = np.arange(polygons)
    middle = np.stack([500_000 + cell % columns * 100.0, 5_000_000 + cell // columns * 100.0], 1)
    ring = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    shells = shapely.polygons(middle[:, None] + ring[None])
    random = np.random.default_rng(7)
    away = np.sqrt(random.random(count)) * 35
    away[::1000] = 46.0
    angle = random.random(count) * 2 * np.pi
    spread = np.stack([away * np.cos(angle), away * np.sin(angle)], 1)
    places = middle[np.arange(count) % polygons] + spread
    features = shapely.points(places)
    if vertices:
        turn = np.linspace(0, 2 * np.pi, vertices - 1, endpoint=False)
        ring = np.stack([np.cos(turn), 0.5 * np.sin(turn)], 1)
        features = shapely.polygons(places[:, None] + ring[None])
    crs = pyproj.CRS("EPSG:32633").to_json_dict()
    for name, key, shapes in (("features", "id", features), ("covers", "cid", shells)):
        about = {"encoding": "WKB", "geometry_types": [], "crs": crs}
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": about}}
        table = pa.table({key: np.arange(len(shapes)), "geometry": shapely.to_wkb(shapes)})
        described = table.replace_schema_metadata({"geo": json.dumps(geo)})
        pq.write_table(described, folder / f"{name}.parquet")
        staged(folder / f"{name}.parquet")


def ours(folder: Path, threads: int) -> turns.Measured:
    """Through the engine."""
    from product import checked, staged

    rule = {"rule": "must_be_covered_by", "other": {"uri": str(folder / "covers.parquet")}}
    pipeline, of, version = staged(folder / "features.parquet", key=["id"], rules=[rule])
    _, _, covers = staged(folder / "covers.parquet")
    seconds, ((_, found),) = checked(pipeline, of, version, threads, covers)
    return seconds, sorted(int(k[0][0]) for k in found.keys)


def geopandas(folder: Path, _threads: int) -> turns.Measured:
    """A left spatial join; reading is counted, as for all who read files."""
    import geopandas as gpd

    def join() -> list[int]:
        features = gpd.read_parquet(folder / "features.parquet")
        covers = gpd.read_parquet(folder / "covers.parquet")
        found = features.sjoin(covers, how="left", predicate="covered_by")
        return sorted(found[found["cid"].isna()]["id"].tolist())

    return turns.timed(join)


def duckdb(folder: Path, threads: int, predicate: str) -> turns.Measured:
    """A spatial join, and the features that are not in it."""
    import duckdb as db
    import duckdb_extension_spatial

    place = Path(duckdb_extension_spatial.__file__).parent
    extension = next(place.rglob("spatial.duckdb_extension"))
    connection = db.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{extension}'")
    for name, file in (("p", "features"), ("c", "covers")):
        source = f"read_parquet('{folder / file}.parquet')"
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {source}")
    asked = SQL.format(predicate=predicate)
    return turns.timed(lambda: sorted(row[0] for row in connection.execute(asked).fetchall()))


def sedonadb(folder: Path, threads: int, predicate: str) -> turns.Measured:
    """A spatial join, and the features that are not in it."""
    import sedonadb as library

    connection = library.connect()
    connection.sql(f"SET datafusion.execution.target_partitions = {threads}").execute()

    def join() -> list[int]:
        for name, file in (("p", "features"), ("c", "covers")):
            connection.read_parquet(str(folder / f"{file}.parquet")).to_view(name, overwrite=True)
        asked = SQL.format(predicate=predicate)
        return sorted(connection.sql(asked).to_arrow_table().column("id").to_pylist())

    return turns.timed(join)


def postgis(folder: Path, threads: int) -> turns.Measured:
    """On a throw-away server, tables loaded, indexed and analysed before the clock."""
    import asyncio

    from spatial_pipeline.testing.postgis import running_cluster

    with running_cluster() as cluster:
        return asyncio.run(_postgis(cluster.dsn(cluster.new_database()), folder, threads))


async def _postgis(dsn: str, folder: Path, threads: int) -> turns.Measured:
    import time

    import asyncpg
    import pyarrow.parquet as pq

    connection: Any = await asyncpg.connect(dsn, timeout=60)
    try:
        for name, key, file in (("p", "id", "features"), ("c", "cid", "covers")):
            await connection.execute(f"CREATE TABLE {name}_raw ({key} bigint, wkb bytea)")
            table = pq.read_table(folder / f"{file}.parquet", columns=[key, "geometry"])
            for batch in table.to_batches(max_chunksize=50_000):
                records = list(zip(*(c.to_pylist() for c in batch.columns), strict=True))
                await connection.copy_records_to_table(f"{name}_raw", records=records)
            await connection.execute(
                f"CREATE TABLE {name} AS SELECT {key}, ST_GeomFromWKB(wkb) geometry"
                f" FROM {name}_raw;"
                f"CREATE INDEX ON {name} USING gist (geometry); ANALYZE {name};"
            )
        await connection.execute(
            f"SET max_parallel_workers_per_gather = {threads - 1};"
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
            "SET min_parallel_table_scan_size = 0; SET work_mem = '512MB'; SET jit = off"
        )
        started = time.perf_counter()
        rows = await connection.fetch(
            "SELECT p.id FROM p WHERE NOT EXISTS "
            "(SELECT 1 FROM c WHERE ST_Covers(c.geometry, p.geometry))"
        )
        return time.perf_counter() - started, sorted(row[0] for row in rows)
    finally:
        await connection.close()


def sides(predicate: str) -> dict[str, turns.Side]:
    """Who takes part; the engines join by this predicate."""
    return {
        "spatial_pipeline": turns.Side(ours, peer=False),
        "postgis": turns.Side(postgis, peer=False),
        "duckdb": turns.Side(partial(duckdb, predicate=predicate)),
        "sedonadb": turns.Side(partial(sedonadb, predicate=predicate)),
        "geopandas": turns.Side(geopandas),
    }


TARGETS = {"postgis": "3", "duckdb": "1", "sedonadb": "1", "geopandas": "1"}

if __name__ == "__main__":
    turns.race(
        Path(__file__), "must_be_covered_by: N points in N/200 polygons of 500 vertices",
        generate, sides("ST_Intersects"), TARGETS, 200_000,
    )  # fmt: skip

"""Publishes polygons to PostGIS beside GeoPandas and ogr2ogr: same data, server, key and index.

Usage: python benchmarks/publish_table.py [FEATURES] [--rounds N] [--json FILE]

Before any time is told, the tables are compared: number of rows, SRID, digests of the geometries
and of the attributes, a spatial index and a unique key. Each way is warmed up once; then all ways
run in turn, and medians are told. Peers that are not installed are named and left out: GeoPandas
needs geoalchemy2 and psycopg or psycopg2, ogr2ogr is Debian's gdal-bin. ogr2ogr copies rows
(PG_USE_COPY=YES), which is its fast way. Staging and checking are not counted for us; filling,
proving what the server stored, index, key, statistics, the gate and the exchange are.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import shapely

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.postgres import Cluster, running_cluster

VERTICES = 16
ROUNDS = 5
Way = Callable[[int], str]
"""Writes its table number i and returns the name of it."""
ANSWER = """
SELECT json_build_object(
    'rows', count(*),
    'srid', min(public.ST_SRID({0})),
    'geometry', sum(hashtextextended(encode(public.ST_AsBinary({0}, 'NDR'), 'hex'), 0)),
    'attributes', sum(hashtextextended(concat_ws('|', id::bigint, height::float8, name), 0)),
    'spatial index', bool_and((SELECT count(*) > 0 FROM pg_index i JOIN pg_class c
        ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE i.indrelid IN ({1}) AND a.amname = 'gist')),
    'unique key', bool_and((SELECT count(*) > 0 FROM pg_index i
        WHERE i.indrelid IN ({1}) AND i.indisunique))) FROM gis.{2}
"""
RELATIONS = (
    "SELECT 'gis.{0}'::regclass::oid UNION"
    " SELECT inhrelid FROM pg_inherits WHERE inhparent = 'gis.{0}'::regclass"
)


def polygons(count: int) -> geopandas.GeoDataFrame:
    """Polygons of 17 vertices with a key, a number and a text."""
    rng = np.random.default_rng(1)
    side = int(np.ceil(np.sqrt(count)))
    index = np.arange(count)
    centres = np.stack([index % side, index // side], axis=1) * 10.0 + [500_000, 5_000_000]
    angles = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    radii = rng.uniform(2, 5, (count, VERTICES))
    rings = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=2)
    rings = np.concatenate([rings, rings[:, :1]], axis=1) + centres[:, None]
    # ogr2ogr copies doubles as texts of 15 digits; these are the same afterwards.
    heights = np.round(rng.uniform(3, 90, count), 2)
    data = {"id": index + 1, "height": heights, "name": [f"b{i}" for i in index]}
    return geopandas.GeoDataFrame(data, geometry=shapely.polygons(rings), crs="EPSG:25832")


def ours(folder: Path, dsn: str, frame: geopandas.GeoDataFrame, rounds: int) -> Way:
    """Publishing of a proven version; staging and checking are not counted."""
    source = folder / "polygons.parquet"
    frame.to_parquet(source)
    contracts = [
        VectorContract.model_validate(
            {
                "name": f"polygons_{i}",
                "source": {"uri": str(source)},
                "key": ["id"],
                "publish": {"table": f"gis.polygons_{i}"},
                "rules": [{"rule": "unique", "columns": ["id"]}],
            }
        )
        for i in range(rounds + 1)
    ]
    pipeline = Pipeline.of(contracts, Settings(store=folder / "store", database_url=dsn))
    versions = [pipeline.stage(c) for c in contracts]
    for contract, version in zip(contracts, versions, strict=True):
        asyncio.run(pipeline.audit(contract, version))

    def write(index: int) -> str:
        asyncio.run(pipeline.apublish(contracts[index], versions[index]))
        return contracts[index].name

    return write


def to_postgis(dsn: str, frame: geopandas.GeoDataFrame) -> Way | None:
    """``GeoDataFrame.to_postgis`` with a primary key afterwards; None when it cannot run."""
    names = ("geoalchemy2", "sqlalchemy")
    if not all(importlib.util.find_spec(n) for n in names):
        return None
    import sqlalchemy

    driver = "psycopg" if importlib.util.find_spec("psycopg") else "psycopg2"
    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"))

    def write(index: int) -> str:
        name = f"geopandas_{index}"
        frame.to_postgis(name, engine, schema="gis", if_exists="replace", chunksize=100_000)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"ALTER TABLE gis.{name} ADD PRIMARY KEY (id)"))
        return name

    return write


def ogr2ogr(folder: Path, dsn: str, frame: geopandas.GeoDataFrame) -> Way | None:
    """``ogr2ogr`` with COPY and a spatial index; None when it is not installed."""
    program = shutil.which("ogr2ogr")
    if program is None:
        return None
    source = folder / "polygons.gpkg"
    frame.to_file(source, driver="GPKG")

    def write(index: int) -> str:
        subprocess.run(
            [program, "-f", "PostgreSQL", f"PG:{dsn}", source, "-nln", f"gis.ogr_{index}",
             "-lco", "FID=id", "-lco", "SPATIAL_INDEX=GIST", "-overwrite",
             "--config", "PG_USE_COPY", "YES", "-nlt", "POLYGON", "-lco", "DIM=2"],
            check=True,
        )  # fmt: skip
        return f"ogr_{index}"

    return write


def answer(cluster: Cluster, database: str, table: str) -> dict[str, object]:
    """What is in a table, however it came there."""
    column = cluster.psql(
        "SELECT f_geometry_column FROM geometry_columns WHERE f_table_schema = 'gis'"
        f" AND f_table_name = '{table}'",
        database,
    )
    statement = ANSWER.format(column, RELATIONS.format(table), table)
    found: dict[str, object] = json.loads(cluster.psql(statement, database))
    return found


def measured(cluster: Cluster, count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, warmed up once, in turns.

    Raises:
        AssertionError: the ways do not give the same table.

    """
    database = cluster.new_database()
    cluster.psql("CREATE SCHEMA gis", database)
    dsn = cluster.dsn(database)
    frame = polygons(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "spatial_pipeline": ours(folder, dsn, frame, rounds),
            "GeoDataFrame.to_postgis": to_postgis(dsn, frame),
            "ogr2ogr": ogr2ogr(folder, dsn, frame),
        }
        for way in [w for w, write in found.items() if write is None]:
            print(f"{way}: not installed, left out", file=sys.stderr)
        ways = {way: write for way, write in found.items() if write is not None}
        answers = {w: answer(cluster, database, write(0)) for w, write in ways.items()}
        first = answers["spatial_pipeline"]
        assert first["rows"] == count, answers
        assert all(a == first for a in answers.values()), answers
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(1, rounds + 1):
            for way, write in ways.items():
                begin = time.perf_counter()
                table = write(turn)
                times[way].append(time.perf_counter() - begin)
                # TRUNCATE reaches the parts too; else the rows of all turns fill the disk.
                cluster.psql(f"TRUNCATE gis.{table}", database)
    return times


def main() -> None:
    """Prints a table; writes JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    catalogue.load()
    with running_cluster() as cluster:
        times = measured(cluster, options.features, options.rounds)
    medians = {way: statistics.median(t) for way, t in times.items()}
    ours_s = medians["spatial_pipeline"]
    print(f"{options.features} polygons, median of {options.rounds} runs in turn, same answers")
    for way, seconds in medians.items():
        print(f"{way:26} {seconds:8.2f} s  {seconds / ours_s:6.2f} ×")
    if options.json is not None:
        value = {"features": options.features, "seconds": times, "median": medians}
        options.json.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

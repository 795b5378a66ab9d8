"""Publishes polygons to PostGIS beside GeoPandas and ogr2ogr: same data, same server, same index.

Usage: python benchmarks/publish_table.py [FEATURES]

Peers that are not installed are left out. GeoPandas needs geoalchemy2 and psycopg or psycopg2.
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

from spatial_pipeline.check import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.run import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.postgres import Cluster, running_cluster

VERTICES = 16
ROUNDS = 3


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
    data = {"id": index, "height": rng.uniform(3, 90, count), "name": [f"b{i}" for i in index]}
    return geopandas.GeoDataFrame(data, geometry=shapely.polygons(rings), crs="EPSG:25832")


def ours(folder: Path, dsn: str, frame: geopandas.GeoDataFrame) -> Callable[[int], None]:
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
        for i in range(ROUNDS + 1)
    ]
    pipeline = Pipeline.of(contracts, Settings(store=folder / "store", database_url=dsn))
    versions = [pipeline.stage(c) for c in contracts]
    for contract, version in zip(contracts, versions, strict=True):
        asyncio.run(pipeline.audit(contract, version))
    return lambda i: _publish(pipeline, contracts[i], versions[i])


def _publish(pipeline: Pipeline, contract: VectorContract, version: object) -> None:
    asyncio.run(pipeline.apublish(contract, version))  # type: ignore[arg-type]


def to_postgis(dsn: str, frame: geopandas.GeoDataFrame) -> Callable[[int], None] | None:
    """``GeoDataFrame.to_postgis`` with a primary key afterwards; None when it cannot run."""
    names = ("geoalchemy2", "sqlalchemy")
    if not all(importlib.util.find_spec(n) for n in names):
        return None
    import sqlalchemy

    driver = "psycopg" if importlib.util.find_spec("psycopg") else "psycopg2"
    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"))

    def write(index: int) -> None:
        name = f"geopandas_{index}"
        frame.to_postgis(name, engine, schema="gis", if_exists="replace", chunksize=100_000)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"ALTER TABLE gis.{name} ADD PRIMARY KEY (id)"))

    return write


def ogr2ogr(folder: Path, dsn: str, frame: geopandas.GeoDataFrame) -> Callable[[int], None] | None:
    """``ogr2ogr`` with COPY and a spatial index; None when it is not installed."""
    program = shutil.which("ogr2ogr")
    if program is None:
        return None
    source = folder / "polygons.gpkg"
    frame.to_file(source, driver="GPKG")

    def write(index: int) -> None:
        subprocess.run(
            [program, "-f", "PostgreSQL", f"PG:{dsn}", source, "-nln", f"gis.ogr_{index}",
             "-lco", "FID=id", "-lco", "SPATIAL_INDEX=GIST", "-overwrite",
             "--config", "PG_USE_COPY", "YES"],
            check=True,
        )  # fmt: skip

    return write


def measured(cluster: Cluster, count: int) -> dict[str, float]:
    """Median seconds of each way, warmed up once, in turns."""
    database = cluster.new_database()
    cluster.psql("CREATE SCHEMA gis", database)
    dsn = cluster.dsn(database)
    frame = polygons(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = {
            "spatial_pipeline": ours(folder, dsn, frame),
            "GeoDataFrame.to_postgis": to_postgis(dsn, frame),
            "ogr2ogr": ogr2ogr(folder, dsn, frame),
        }
        times: dict[str, list[float]] = {}
        for turn in range(ROUNDS + 1):
            for way, write in ways.items():
                if write is None:
                    print(f"{way}: not installed", file=sys.stderr)
                    continue
                begin = time.perf_counter()
                write(turn)
                if turn:
                    times.setdefault(way, []).append(time.perf_counter() - begin)
    return {way: statistics.median(t) for way, t in times.items()}


def main() -> None:
    """Prints a table, and JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    catalogue.load()
    with running_cluster() as cluster:
        medians = measured(cluster, options.features)
    if options.json:
        print(json.dumps({"features": options.features, "seconds": medians}))
        return
    fastest = medians["spatial_pipeline"]
    for way, seconds in medians.items():
        print(f"{way:26} {seconds:8.2f} s  {seconds / fastest:6.2f} ×")


if __name__ == "__main__":
    main()

"""Reads polygons from PostGIS beside ``geopandas.read_postgis``: same table, server and answer.

Usage: python benchmarks/read_table.py [FEATURES] [--rounds N] [--before CHECKOUT] [--json FILE]

Three ways: ``read`` names the version (the hash of every row), streams the rows and decodes the
geometries, which is what read_postgis gives without a hash; ``stage`` is all of ingest, down to the
GeoParquet. ``--before`` measures them in another checkout too, in turns. Each measurement is a
process of its own; before any time is told, count, bounds and the sum of ids are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import shapely

ROUNDS = 3
FILL = """
CREATE TABLE polygons AS
SELECT i::int4 AS id, round((3 + 87 * random())::numeric, 2)::float8 AS height, 'b' || i AS name,
       now() - i * interval '1 min' AS built,
       ST_SetSRID(ST_MakePolygon(ST_MakeLine(ARRAY(
         SELECT ST_MakePoint(500000 + 10 * (i % 1000) + 4 * cos(a * pi() / 8),
                             5000000 + 10 * (i / 1000) + 4 * sin(a * pi() / 8))
         FROM generate_series(0, 16) a))), 25832)::geometry(Polygon, 25832) AS geom
FROM generate_series(1, {}) i;
ALTER TABLE polygons ADD PRIMARY KEY (id); VACUUM ANALYZE polygons
"""


def read(dsn: str) -> tuple[float, Any]:
    """The rows through our reader, geometries decoded."""
    from spatial_pipeline.contract.database_url import parse
    from spatial_pipeline.ingest.postgis.source import open_table

    begin = time.perf_counter()
    shapes, ids = [], 0
    address = parse(dsn, None)
    with open_table(address, "public.polygons", None) as table, table.open_layer() as layer:
        for batch in layer.batches:
            ids += int(batch.column("id").to_numpy().sum())
            shapes.append(shapely.from_wkb(batch.column("geom").to_numpy(zero_copy_only=False)))
    geometry = np.concatenate(shapes)
    seconds = time.perf_counter() - begin
    return seconds, [len(geometry), ids, np.round(shapely.total_bounds(geometry), 6).tolist()]


def stage(dsn: str) -> tuple[float, Any]:
    """All of ingest."""
    from spatial_pipeline.contract.source import Source
    from spatial_pipeline.ingest import opened

    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        source = Source(uri=dsn, layer="public.polygons")
        with opened("vector", source, None, Path(folder)) as reading:
            profile = reading.ingest(Path(folder), None)
        seconds = time.perf_counter() - begin
        import pyarrow.parquet as pq

        ids = pq.read_table(Path(folder) / "data.parquet", columns=["id"])["id"].to_numpy()
    bounds = np.round(np.array(getattr(profile, "bounds")), 6).tolist()  # noqa: B009
    return seconds, [getattr(profile, "count"), int(ids.sum()), bounds]  # noqa: B009


def read_postgis(dsn: str) -> tuple[float, Any]:
    """GeoPandas through SQLAlchemy and psycopg2."""
    import geopandas
    import sqlalchemy

    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    begin = time.perf_counter()
    frame = geopandas.read_postgis("SELECT * FROM polygons", engine, geom_col="geom")
    seconds = time.perf_counter() - begin
    bounds = np.round(frame.total_bounds, 6).tolist()
    return seconds, [len(frame), int(frame["id"].sum()), bounds]


WAYS = {"read": read, "stage": stage, "read_postgis": read_postgis}


def measured(way: str, dsn: str, tree: Path) -> tuple[float, Any]:
    """Seconds and answer of a way, in a process of its own with the code of a checkout."""
    # An earlier checkout measures itself: modules may have had other names.
    script = tree / "benchmarks" / Path(__file__).name
    command = [sys.executable, "-P", str(script), "--way", way, "--dsn", dsn]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    seconds, answer = json.loads(done.stdout.splitlines()[-1])
    return seconds, answer


def main() -> None:
    """Prints a table; writes JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("features", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(WAYS[asked.way](asked.dsn)))
        return
    from spatial_pipeline.testing.postgis import running_cluster

    here = Path(__file__).resolve().parents[1]
    sides = {way: (way, here) for way in WAYS}
    if asked.before:
        sides |= {f"{way} before": (way, asked.before.resolve()) for way in ("read", "stage")}
    with running_cluster() as cluster:
        database = cluster.new_database()
        cluster_sql(cluster, database, asked.features)
        times: dict[str, list[float]] = {side: [] for side in sides}
        answers = {}
        for turn in range(asked.rounds + 1):
            for side, (way, tree) in sides.items():
                seconds, answers[side] = measured(way, cluster.dsn(database), tree)
                if turn:
                    times[side].append(seconds)
            assert len({json.dumps(a) for a in answers.values()}) == 1, answers
    found = {side: statistics.median(values) for side, values in times.items()}
    for side, seconds in found.items():
        print(f"{side:16} {seconds:8.2f} s   {seconds / found['read']:6.2f} x read")
    if asked.json:
        asked.json.write_text(json.dumps(times), encoding="utf-8")


def cluster_sql(cluster: Any, database: str, features: int) -> None:
    """Fills the table; longer than the limit of ``psql`` of the tests."""
    for statement in FILL.format(features).split(";"):
        subprocess.run(
            [cluster.bindir / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
             cluster.dsn(database)],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()

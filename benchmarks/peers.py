"""What others take for the same question: one peer, one file, in a process of its own.

    python benchmarks/peers.py duckdb coverage.parquet --threads 2

Prints one JSON line: seconds from the file to the pairs, and the pairs. Needs nothing of
spatial_pipeline but for PostGIS, so that peers can live in an environment of their own: DuckDB's
spatial extension comes as a wheel for one version of DuckDB only. A peer that is not installed says
so in ``missing``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import shapely

JOIN = "ST_Overlaps(a.geometry, b.geometry)"
"""Each pair comes twice: with ``a.id < b.id`` DuckDB would not make a spatial join of it."""
Measured = tuple[float, Any]


class MissingError(Exception):
    """The peer is not installed."""


def needed(module: str) -> Any:
    """The module.

    Raises:
        MissingError: it is not installed.

    """
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise MissingError(f"{module} is not installed") from exc


def geometries(source: Path) -> tuple[Any, Any]:
    """Ids and geometries of a file."""
    table = pq.read_table(source)
    wkb = table.column("geometry").to_numpy()
    return table.column("id").to_numpy(), shapely.from_wkb(wkb)


def duckdb(source: Path, threads: int) -> Measured:
    """DuckDB with its spatial extension: a spatial join."""
    db = needed("duckdb")
    folder = Path(needed("duckdb_extension_spatial").__file__).parent
    extension = next(folder.rglob("spatial.duckdb_extension"))
    connection = db.connect(config={"allow_unsigned_extensions": "true", "threads": threads})
    connection.execute(f"LOAD '{extension}'")
    return timed(
        lambda: connection.execute(
            f"SELECT a.id, b.id FROM read_parquet('{source}') a"
            f" JOIN read_parquet('{source}') b ON {JOIN}"
        ).fetchall()
    )


def sedonadb(source: Path, threads: int) -> Measured:
    """SedonaDB: a spatial join."""
    connection = needed("sedonadb").connect()
    connection.sql(f"SET datafusion.execution.target_partitions = {threads}").execute()

    def run() -> Any:
        connection.read_parquet(str(source)).to_view("t", overwrite=True)
        found = connection.sql(
            f"SELECT a.id i, b.id j FROM t a JOIN t b ON {JOIN}"
        ).to_arrow_table()
        return list(zip(*(found.column(c).to_pylist() for c in ("i", "j")), strict=True))

    return timed(run)


def shapely_tree(source: Path, threads: int) -> Measured:
    """An STRtree of Shapely, queried from several threads; what GeoPandas' sjoin does on one."""

    def run() -> Any:
        ids, features = geometries(source)
        tree = shapely.STRtree(features)
        tree.query(features[:1])

        def part(index: Any) -> Any:
            one, other = tree.query(features[index], predicate="overlaps")
            return index[one], other

        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(part, np.array_split(np.arange(len(features)), 8 * threads)))
        one, other = (ids[np.concatenate(side)] for side in zip(*found, strict=True))
        return list(zip(one.tolist(), other.tolist(), strict=True))

    return timed(run)


def geopandas(source: Path, _threads: int) -> Measured:
    """GeoPandas' sjoin; it has one thread."""
    library = needed("geopandas")

    def run() -> Any:
        frame = library.read_parquet(source)
        found = library.sjoin(frame, frame, predicate="overlaps")
        one, other = found["id_left"].to_numpy(), found["id_right"].to_numpy()
        return list(zip(one.tolist(), other.tolist(), strict=True))

    return timed(run)


def coverage_invalid_edges(source: Path, _threads: int) -> Measured:
    """Shapely's coverage validation: no pairs, and one thread. Decoding is not counted."""
    _, features = geometries(source)
    return timed(lambda: shapely.coverage_invalid_edges(features))[0], None


def decoding(source: Path, threads: int) -> Measured:
    """Only decoding and ``is_valid``: what anything on GEOS has to pay first."""

    def run() -> None:
        wkb = pq.read_table(source).column("geometry").to_numpy()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(valid, np.array_split(wkb, 8 * threads)))

    def valid(some: Any) -> Any:
        return shapely.is_valid(shapely.from_wkb(some))

    return timed(run)[0], None


def postgis(source: Path, threads: int) -> Measured:
    """PostGIS on a throw-away server, the table loaded, indexed and analysed before the clock."""
    needed("asyncpg")
    from spatial_pipeline.testing.postgis import NoPostgresError, running_cluster

    try:
        with running_cluster() as cluster:
            return asyncio.run(_postgis(cluster.dsn(cluster.new_database()), source, threads))
    except NoPostgresError as exc:
        raise MissingError(str(exc)) from exc


async def _postgis(dsn: str, source: Path, threads: int) -> Measured:
    import asyncpg

    table = pq.read_table(source, columns=["id", "geometry"])
    connection = await asyncpg.connect(dsn, timeout=60)
    try:
        await connection.execute("CREATE TABLE raw (id bigint, wkb bytea)")
        for batch in table.to_batches(max_chunksize=50_000):
            records = list(zip(*(c.to_pylist() for c in batch.columns), strict=True))
            await connection.copy_records_to_table("raw", records=records)
        await connection.execute(
            "CREATE TABLE t AS SELECT id, ST_GeomFromWKB(wkb) geometry FROM raw;"
            "CREATE INDEX ON t USING gist (geometry); ANALYZE t;"
            f"SET max_parallel_workers_per_gather = {threads - 1};"
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;"
            "SET min_parallel_table_scan_size = 0; SET work_mem = '512MB'; SET jit = off"
        )
        started = time.perf_counter()
        rows = await connection.fetch(f"SELECT a.id, b.id FROM t a JOIN t b ON {JOIN}")
        return time.perf_counter() - started, [tuple(row) for row in rows]
    finally:
        await connection.close()


def timed(call: Callable[[], Any]) -> Measured:
    """Seconds that a call takes, and what it returns."""
    started = time.perf_counter()
    value = call()
    return time.perf_counter() - started, value


PEERS: dict[str, Callable[[Path, int], Measured]] = {
    "duckdb": duckdb,
    "sedonadb": sedonadb,
    "shapely": shapely_tree,
    "geopandas": geopandas,
    "postgis": postgis,
    "coverage_invalid_edges": coverage_invalid_edges,
    "decoding": decoding,
}


def answer(pairs: Any) -> dict[str, Any]:
    """How many pairs there are, and a hash that is the same for the same pairs in any order."""
    ordered = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]})
    hashed = hashlib.sha256(json.dumps(ordered).encode()).hexdigest()
    return {"pairs": len(ordered), "fingerprint": hashed[:16]}


def main() -> None:
    """Measures one peer once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("source", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    try:
        seconds, pairs = PEERS[asked.peer](asked.source, asked.threads)
    except MissingError as exc:
        print(json.dumps({"missing": str(exc)}))
        return
    print(json.dumps({"seconds": seconds, **({} if pairs is None else answer(pairs))}))


if __name__ == "__main__":
    sys.exit(main())

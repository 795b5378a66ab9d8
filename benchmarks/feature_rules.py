"""Ingest and all feature-scope rules on a million polygons, beside GeoPandas on the same file.

    python benchmarks/feature_rules.py --features 1000000 --repeat 3

Each measurement is a process of its own, so that its peak memory is its own; ours and the peer
take turns. The peer does less: it reads the file and asks ``is_valid``, stores nothing, and keeps
all of it in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

CHUNK = 100_000
SIDE = 4
"""Segments of a cell's side: 16 vertices, and the first again."""
RULES: list[dict[str, Any]] = [
    {"rule": "geometry_type", "any_of": ["Polygon"]},
    {"rule": "not_null", "columns": ["id", "value"]},
    {"rule": "value_range", "column": "value", "min": 0, "max": 1},
    {"rule": "not_empty"},
    {"rule": "finite_coordinates"},
    {"rule": "valid_geometry"},
]


def cells(first: int, count: int, columns: int) -> NDArray[np.object_]:
    """(count,) wavy cells of 17 vertices that fit together without gap or overlap."""
    index = np.arange(first, first + count)
    steps = np.arange(SIDE) / SIDE
    zero, one = np.zeros(SIDE), np.ones(SIDE)
    x = np.concatenate([steps, one, 1 - steps, zero, [0.0]])
    y = np.concatenate([zero, steps, one, 1 - steps, [0.0]])
    x = (index % columns)[:, None] + x
    y = (index // columns)[:, None] + y
    x, y = x + 0.1 * np.sin(5 * y), y + 0.1 * np.sin(3 * x)
    return np.asarray(shapely.polygons(np.stack([500_000 + 10 * x, 5_000_000 + 10 * y], axis=-1)))


def generate(path: Path, count: int) -> None:
    """Writes a GeoPackage of ``count`` polygons."""
    columns = int(count**0.5) + 1
    for first in range(0, count, CHUNK):
        number = min(CHUNK, count - first)
        index = np.arange(first, first + number)
        pyogrio.raw.write(
            path, shapely.to_wkb(cells(first, number, columns)), [index, index % 1000 / 1000],
            fields=["id", "value"], layer="cells", driver="GPKG", geometry_type="Polygon",
            crs="EPSG:32633", append=first > 0,
        )  # fmt: skip


def ours(path: Path) -> dict[str, float]:
    """Seconds of ingest and of the rules, through the product."""
    from spatial_pipeline.contract.models import VectorContract
    from spatial_pipeline.contract.rules import CATALOGUE
    from spatial_pipeline.contract.vocabulary import Scope
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings

    named = {rule["rule"] for rule in RULES}
    every = {name for name, rule in CATALOGUE.items() if rule.scope is Scope.FEATURE}
    if named != every:
        sys.exit(f"the feature-scope rules are {sorted(every)}")
    contract = VectorContract.model_validate(
        {"name": "cells", "source": {"uri": str(path)}, "key": ["id"], "rules": RULES}
    )
    with TemporaryDirectory(dir=path.parent) as store:
        pipeline = Pipeline.of([contract], Settings(store=Path(store)))
        started = time.perf_counter()
        version = pipeline.stage(contract)
        staged = time.perf_counter()
        audit = asyncio.run(pipeline.audit(contract, version))
        ended = time.perf_counter()
    if not audit.verdict.passed:
        sys.exit("\n".join(f"{r.name}: {r.message}" for r in audit.results if not r.passed))
    return {"ingest_s": staged - started, "rules_s": ended - staged, "wall_s": ended - started}


def peer(path: Path) -> dict[str, float]:
    """Seconds of reading with GeoPandas and asking ``is_valid``."""
    import geopandas

    started = time.perf_counter()
    frame = geopandas.read_file(path)
    read = time.perf_counter()
    if not frame.is_valid.all():
        sys.exit("the peer finds invalid polygons")
    ended = time.perf_counter()
    return {"ingest_s": read - started, "rules_s": ended - read, "wall_s": ended - started}


SIDES = {"spatial_pipeline": ours, "geopandas": peer}


def measured(side: str, path: Path) -> dict[str, float]:
    """One measurement in a process of its own, with its peak memory in MiB."""
    command = [sys.executable, __file__, "--measure", side, "--source", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side}: {done.stderr.strip()}")
    value: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return value


def compare(features: int, repeat: int, folder: Path) -> dict[str, Any]:
    """Medians of both sides on the same file, in turns."""
    path = folder / "cells.gpkg"
    started = time.perf_counter()
    generate(path, features)
    size, seconds = path.stat().st_size / 2**20, time.perf_counter() - started
    say(f"{features:,} polygons of {4 * SIDE + 1} vertices: {size:,.0f} MiB in {seconds:.1f} s")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for turn in range(repeat):
        for side in SIDES:
            runs[side].append(measured(side, path))
            say(f"  {turn + 1}/{repeat} {side}: {runs[side][-1]['wall_s']:.1f} s")
    medians = {
        side: {name: statistics.median(r[name] for r in rows) for name in rows[0]}
        for side, rows in runs.items()
    }
    ratio = medians["spatial_pipeline"]["wall_s"] / medians["geopandas"]["wall_s"]
    return {"features": features, "repeat": repeat, "medians": medians, "wall_ratio": ratio}


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Prints the table and writes ``feature_rules.json`` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        seconds = SIDES[asked.measure](asked.source)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**seconds, "peak_mib": peak}))
        return
    with TemporaryDirectory() as folder:
        result = compare(asked.features, asked.repeat, Path(folder))
    print(f"{'':18}{'ingest s':>10}{'rules s':>10}{'wall s':>10}{'peak MiB':>10}")
    for side, row in result["medians"].items():
        print(f"{side:18}" + "".join(f"{row[n]:10.1f}" for n in row))
    print(f"wall time against geopandas read + is_valid: {result['wall_ratio']:.2f} ×")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

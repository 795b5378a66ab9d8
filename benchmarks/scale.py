"""All families over N features within SPATIAL_MEMORY: peak of the process tree, and growth.

    python benchmarks/scale.py --features 10000000 --memory 2GiB

Measures N/10 and N features, each in a process of its own: ingest and check, a file in another
format for parity, 0.1% of the cells damaged. The resident memory is that of the process and its
children together, twenty times a second.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import topology_data

RULES: list[dict[str, Any]] = [
    {"rule": "crs", "any_of": ["EPSG:32633"]},
    {"rule": "geometry_type", "any_of": ["Polygon", "MultiPolygon"]},
    {"rule": "not_null", "columns": ["id"]},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 0},
    {"rule": "not_empty"},
    {"rule": "finite_coordinates"},
    {"rule": "valid_geometry"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_have_gaps"},
]
PARITY = "same_features_as"
"""Compared with the same file: every feature is joined and compared."""


def ours(path: Path) -> dict[str, Any]:
    """Seconds of ingest and of all rules, and what the rules say."""
    import asyncio

    from spatial_pipeline.contract.models import VectorContract
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings

    rules = [*RULES, {"rule": PARITY, "other": {"uri": str(path)}}]
    contract = VectorContract.model_validate(
        {"name": "cells", "source": {"uri": str(path)}, "key": ["id"], "rules": rules}
    )
    pipeline = Pipeline.of([contract], Settings(store=path.parent / "store"))
    started = time.perf_counter()
    version = pipeline.stage(contract)
    staged = time.perf_counter()
    audit = asyncio.run(pipeline.audit(contract, version))
    ended = time.perf_counter()
    return {
        "ingest_s": staged - started,
        "check_s": ended - staged,
        "rules": {
            r.name: [r.status.value, round(r.elapsed_s, 2), r.violations] for r in audit.results
        },
    }


def resident(root: int) -> int:
    """Bytes of resident memory of a process and all its descendants."""
    page = resource.getpagesize()
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(stat[1]), []).append(int(entry.name))
        pages[int(entry.name)] = int(stat[21])
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        total += pages.get(process, 0) * page
        waiting += children.get(process, [])
    return total


def measured(features: int, memory: str) -> dict[str, Any]:
    """One size in a process of its own, with the peak of its tree in MiB."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cells.parquet"
        topology_data.write(path, features, topology_data.coverage(features))
        output = Path(folder) / "output"
        with output.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, __file__, "--source", str(path)],
                stdout=out,
                env={**os.environ, "SPATIAL_MEMORY": memory},
            )
            peak = 0
            while True:
                ended, status, used = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    break
                peak = max(peak, resident(process.pid))
                time.sleep(0.05)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{features:,} features: exit code {process.returncode}")
        found: dict[str, Any] = json.loads(output.read_text().splitlines()[-1])
    seconds = found["ingest_s"] + found["check_s"]
    return {
        "features": features,
        "seconds": seconds,
        "processor_s": used.ru_utime + used.ru_stime,
        "peak_mib": peak / 2**20,
        **found,
    }


def main() -> None:
    """Prints both sizes and writes ``scale.json`` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=10_000_000)
    parser.add_argument("--smaller", type=int, help="the other size; a tenth unless given")
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.source:
        print(json.dumps(ours(asked.source)))
        return
    rows = []
    for features in (asked.smaller or asked.features // 10, asked.features):
        rows.append(measured(features, asked.memory))
        row = rows[-1]
        print(
            f"{features:,} features: ingest {row['ingest_s']:.1f} s, check {row['check_s']:.1f} s,"
            f" processor {row['processor_s']:.1f} s,"
            f" peak {row['peak_mib']:,.0f} MiB of SPATIAL_MEMORY={asked.memory}",
            flush=True,
        )
        for name, (status, seconds, violations) in row["rules"].items():
            print(f"  {name:28}{status:>8}{seconds:10.2f} s{violations:10,}")
    times = rows[1]["features"] / rows[0]["features"]
    growth = {w: rows[1][w] / rows[0][w] / times for w in ("seconds", "processor_s")}
    print(
        f"time against linear: {growth['seconds']:.2f} × (target: at most 1.15),"
        f" of the processor {growth['processor_s']:.2f} ×"
    )
    value = {"memory": asked.memory, "growth": growth, "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main()

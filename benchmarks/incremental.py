"""The next version of a dataset: 1% of N polygons edited, and what its check costs.

    python benchmarks/incremental.py --features 1000000 --repeat 3

Each measurement is a process of its own, in turns: the check of the first version, the check of the
second one that recalls it, a check of all of the second one, and reading alone: every row group of
the second version with the columns that the rules want, on as many threads. The answers are
compared before the times: what recalls must say what looks at everything, in every result and in
the layer of violations. The ratio is (second - reading) / (first - reading).

Beside it stands the same ratio beyond a check without any rule of one's own ("bare"): reading, and
the proof of ``staged_matches_source``, which looks at all bytes of every version.

Edits come in two layouts, scattered at random and in one place. Nine in ten of them keep the
coverage: a vertex moves in both polygons that share it, as an editor with topology does it. The
tenth moves it in one of them: a sliver of overlap or gap.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely
import topology_data
from numpy.typing import NDArray

RULES: list[dict[str, Any]] = [
    {"rule": "crs", "any_of": ["EPSG:32633"]},
    {"rule": "geometry_type", "any_of": ["Polygon"]},
    {"rule": "not_null", "columns": ["id"]},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 0},
    {"rule": "not_empty"},
    {"rule": "finite_coordinates"},
    {"rule": "valid_geometry"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_have_gaps"},
    {"rule": "must_be_covered_by", "other": {"uri": "districts.parquet"}},
]
LAYOUTS = ("scattered", "in one place")
SHARED = 6
"""A vertex in the middle of a cell's right side."""


def edited(count: int, layout: str) -> topology_data.Chunks:
    """The coverage with one polygon in a hundred edited."""
    columns = int(count**0.5) + 1
    plain = topology_data.coverage(count)
    pairs = max(count // 200, 1)
    if layout == "scattered":
        chosen = np.random.default_rng(0).choice(count, pairs, replace=False)
    else:
        side = int(pairs**0.5) + 1
        across, along = np.meshgrid(np.arange(side), np.arange(side))
        chosen = (((along + columns // 3) * columns) + 2 * across + columns // 3).ravel()[:pairs]
    chosen = np.sort(chosen[(chosen % columns < columns - 1) & (chosen < count - 1)])

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        whole = plain(first, number)
        low, high = np.searchsorted(chosen, [first - 1, first + number])
        for i in chosen[low:high].tolist():
            (own,) = plain(i, 1)
            place = shapely.get_coordinates(own)[SHARED]
            alone = i % 10 == 0
            for j in (i,) if alone else (i, i + 1):
                if first <= j < first + number:
                    whole[j - first] = moved(whole[j - first], place)
        return whole

    return chunk


def moved(polygon: shapely.Polygon, place: NDArray[np.float64]) -> shapely.Polygon:
    """The polygon with its vertex at a place moved, if it has one there."""

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points + (points == place).all(axis=1)[:, np.newaxis] * np.array([0.4, 0.3])

    return shapely.transform(polygon, move)


def write(folder: Path, count: int, layout: str | None) -> None:
    """The source of the dataset and what it is to be covered by."""
    chunks = topology_data.coverage(count) if layout is None else edited(count, layout)
    topology_data.write(folder / "cells.parquet", count, chunks)
    along = int((count / 200) ** 0.5) + 2
    areas = topology_data.districts(count, along**2 - 1, 500)
    middle = np.array([500_000, 5_000_000]) + 5 * count**0.5

    def wider(first: int, number: int) -> NDArray[np.object_]:
        return shapely.transform(areas(first, number), lambda at: (at - middle) * 1.05 + middle)

    topology_data.write(folder / "districts.parquet", along**2, wider)


def pipeline_of(folder: Path, threads: int, incremental: bool) -> tuple[Any, Any]:
    """The contract, and a pipeline in the store of the folder."""
    from spatial_pipeline.contract.load import load_project
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings

    (folder / "cells.yaml").write_text(
        json.dumps(
            {
                "type": "spatial_pipeline.VectorDataset",
                "attributes": {
                    "name": "cells",
                    "source": {"uri": "cells.parquet"},
                    "key": ["id"],
                    "rules": RULES,
                },
            }
        )
    )
    (contract,), _ = load_project([folder / "cells.yaml"])
    settings = Settings(store=folder / "store", incremental=incremental)
    pipeline = Pipeline.of([contract], settings)
    object.__setattr__(pipeline, "jobs", threads)
    return contract, pipeline


def checked(
    folder: Path, threads: int, *, incremental: bool, only: list[str] | None = None
) -> dict[str, Any]:
    """Seconds of the check of what is staged, and what it says."""
    from spatial_pipeline.check.engine import catalogue

    contract, pipeline = pipeline_of(folder, threads, incremental)
    version = pipeline.store.staged_version("cells", None)
    catalogue.load()
    started, worked = time.perf_counter(), time.process_time()
    audit = asyncio.run(pipeline.audit(contract, version, only))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    said = [{**r.to_json(), "elapsed_s": 0} for r in audit.results]
    layer = (pipeline.store.path(version) / "violations.parquet").read_bytes()
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode() + layer).hexdigest()
    rules = {r.name: [r.violations, round(r.elapsed_s, 3)] for r in audit.results}
    return {"seconds": seconds, "cpu": cpu, "answer": digest, "rules": rules}


def reading(folder: Path, threads: int) -> dict[str, Any]:
    """Seconds of reading what the rules want of the staged version."""
    _, pipeline = pipeline_of(folder, threads, incremental=False)
    data = pipeline.store.open(pipeline.store.staged_version("cells", None))
    started, worked = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        rows = sum(pool.map(lambda i: len(data.batch(i, ("id",))), range(data.batch_count())))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    return {"seconds": seconds, "cpu": cpu, "answer": rows}


def stage(folder: Path, threads: int) -> dict[str, Any]:
    """Stages what the source is now."""
    contract, pipeline = pipeline_of(folder, threads, incremental=True)
    started = time.perf_counter()
    version = pipeline.stage(contract)
    return {"seconds": time.perf_counter() - started, "answer": version.id}


def measured(what: str, folder: Path, threads: int) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{what}: {done.stderr.strip()}")
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def forget(folder: Path, version: str) -> None:
    """Makes the next check of a version its first one."""
    shutil.rmtree(folder / "store" / "cells" / "-" / version / "remembered", ignore_errors=True)


def compare(layout: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Medians of all turns of one layout, and the ratios."""
    runs: dict[str, list[dict[str, Any]]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, asked.features, None)
        before = measured("stage", folder, asked.threads)["answer"]
        for turn in range(asked.repeat):
            forget(folder, before)
            runs.setdefault("first", []).append(measured("first", folder, asked.threads))
            say(layout, turn, "first", runs)
        write(folder, asked.features, layout)
        after = measured("stage", folder, asked.threads)["answer"]
        for turn in range(asked.repeat):
            for what in ("reading", "bare", "full", "second"):
                forget(folder, after)
                runs.setdefault(what, []).append(measured(what, folder, asked.threads))
                say(layout, turn, what, runs)
    row: dict[str, Any] = {"layout": layout, "features": asked.features}
    row["agrees"] = {r["answer"] for r in runs["second"]} == {r["answer"] for r in runs["full"]}
    for unit in ("seconds", "cpu"):
        middle = {w: statistics.median(r[unit] for r in rows) for w, rows in runs.items()}
        row[unit] = middle
        for beyond in ("reading", "bare"):
            extra = max(middle["second"] - middle[beyond], 0.0)
            ratio = extra / max(middle["first"] - middle[beyond], 1e-9)
            row[f"ratio of {unit} beyond {beyond}"] = ratio
    row["rules"] = {what: runs[what][-1]["rules"] for what in ("first", "second")}
    return row


def say(layout: str, turn: int, what: str, runs: dict[str, list[dict[str, Any]]]) -> None:
    """Progress on stderr."""
    last = runs[what][-1]
    print(f"  {layout} {turn + 1} {what}: {last['seconds']:.2f} s", file=sys.stderr, flush=True)


def main() -> None:
    """Prints a table and writes ``incremental.json`` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--layouts", nargs="+", default=LAYOUTS, choices=LAYOUTS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        sides = {
            "stage": stage,
            "reading": reading,
            "first": lambda f, t: checked(f, t, incremental=True),
            "second": lambda f, t: checked(f, t, incremental=True),
            "bare": lambda f, t: checked(
                f, t, incremental=True, only=["readable", "staged_matches_source"]
            ),
            "full": lambda f, t: checked(f, t, incremental=False),
        }
        print(json.dumps(sides[asked.measure](asked.folder, asked.threads)))
        return
    rows = [compare(layout, asked) for layout in asked.layouts]
    columns = ("first", "second", "reading", "bare", "full")
    print(f"{'':18}{''.join(f'{w:>9}' for w in columns)}{'÷ beyond reading':>18}{'÷ bare':>9}")
    for row in rows:
        for unit in ("seconds", "cpu"):
            cells = "".join(f"{row[unit][w]:9.2f}" for w in columns)
            name = f"ratio of {unit} beyond"
            ratio = f"{row[f'{name} reading']:18.1%}{row[f'{name} bare']:9.1%}"
            ratio = ratio if row["agrees"] else "   other answers"
            print(f"{row['layout'] if unit == 'seconds' else '  processor':18}{cells}{ratio}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    if not all(row["agrees"] for row in rows):
        sys.exit("a check that recalls says something else than one that looks at everything")


if __name__ == "__main__":
    main()

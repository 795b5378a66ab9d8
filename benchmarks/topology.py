"""Overlaps and gaps of a coverage and of buildings, beside the peers, on the same files in one run.

    python benchmarks/topology.py --features 200000 --repeat 3

Ours and each peer take turns, every measurement in a process of its own and from the staged file
on, imports apart. The answers are compared before the times: a peer that finds other pairs is shown
with its number and without a ratio. A peer that is not installed is named in plain words.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import topology_data
from peers import PEERS, answer
from turns import BEFORE, earlier

OURS = {
    "overlaps": ["must_not_overlap"],
    "overlaps and gaps": ["must_not_overlap", "must_not_have_gaps"],
}
LAYERS = {"coverage": topology_data.coverage, "buildings": topology_data.buildings}
WITHOUT_PAIRS = ("coverage_invalid_edges", "decoding")
"""Peers that have no pairs to compare."""


def contract(path: Path, rules: list[str]) -> Any:
    """A contract of these rules for a layer."""
    from spatial_pipeline.contract.models import VectorContract

    return VectorContract.model_validate(
        {
            "name": path.stem,
            "source": {"uri": str(path)},
            "key": ["id"],
            "rules": [{"rule": r} for r in rules],
        }
    )


def ours(path: Path, what: str, threads: int) -> dict[str, Any]:
    """Seconds from the staged file to located violations, through the engine; and the pairs."""
    from product import preload

    from spatial_pipeline.check.engine.engine import evaluate
    from spatial_pipeline.check.engine.plan import Plan
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings

    asked = contract(path, OURS[what])
    pipeline = Pipeline.of([asked], Settings(store=path.parent / "store"))
    version = pipeline.stage(asked)
    preload()
    started, worked = time.perf_counter(), time.process_time()
    data = pipeline.store.open(version)
    found = asyncio.run(evaluate(asked.rules, data, key=("id",), plan=Plan(jobs=threads)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    overlaps = found[0][1]
    pairs = [(one[0], other[0]) for one, other in overlaps.keys]
    return {
        "seconds": seconds,
        "cpu": cpu,
        "messages": [result.message for result, _ in found],
        **answer(pairs),
    }


def measured(command: list[str]) -> dict[str, Any]:
    """One measurement in a process of its own."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    except subprocess.TimeoutExpired:
        return {"missing": "took more than an hour"}
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def compare(path: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each side of one layer, medians of all turns."""
    sides: dict[str, list[str]] = {
        f"spatial_pipeline: {what}": [
            sys.executable, __file__, "--measure", what, "--source", str(path),
            "--threads", str(asked.threads),
        ]
        for what in OURS
    }  # fmt: skip
    if asked.before is not None:
        for what in OURS:
            options = ["--measure", what, "--source", str(path), "--threads", str(asked.threads)]
            sides[f"{BEFORE}, {what}"] = earlier(asked.before, Path(__file__), options)
    for peer in asked.peers:
        python = sys.executable if peer == "postgis" else str(asked.peers_python)
        script = str(Path(__file__).with_name("peers.py"))
        sides[peer] = [python, script, peer, str(path), "--threads", str(asked.threads)]
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for turn in range(asked.repeat):
        for side, command in sides.items():
            if runs[side] and "missing" in runs[side][-1]:
                continue
            runs[side].append(measured(command))
            say(f"  {path.stem} {turn + 1}/{asked.repeat} {side}: {told(runs[side][-1])}")
    return [{"layer": path.stem, "side": side, **medians(rows)} for side, rows in runs.items()]


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a side, its median seconds and all of them."""
    if "missing" in rows[-1]:
        return rows[-1]
    seconds = [row["seconds"] for row in rows]
    return {**rows[0], "seconds": statistics.median(seconds), "all_seconds": seconds}


def ratios(rows: list[dict[str, Any]]) -> None:
    """Adds to the rows of one layer how many times slower they are than ours at the same answer."""
    mine = {row["side"].partition(": ")[2]: row for row in rows if ":" in row["side"]}
    for row in rows:
        if "seconds" not in row or ":" in row["side"]:
            continue
        row["agrees"] = row.get("fingerprint") == mine["overlaps"].get("fingerprint")
        if row["agrees"] or row["side"] in WITHOUT_PAIRS:
            for what, our in mine.items():
                if "seconds" in our:
                    row[f"times slower than {what}"] = row["seconds"] / our["seconds"]


def told(row: dict[str, Any]) -> str:
    """A row in words."""
    return row.get("missing") or f"{row['seconds']:.2f} s"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text."""
    lines = [f"{'':42}{'seconds':>9}{'pairs':>8}{'÷ overlaps':>12}{'÷ overlaps and gaps':>21}"]
    for row in rows:
        line = f"{row['layer'] + ', ' + row['side']:42}"
        if "missing" in row:
            lines.append(f"{line}  {row['missing']}")
            continue
        line += f"{row['seconds']:9.2f}{row.get('pairs', '–'):>8}"
        for what in OURS:
            ratio = row.get(f"times slower than {what}")
            line += (
                f"{'' if ratio is None else f'{ratio:.1f} ×':>{12 if what == 'overlaps' else 21}}"
            )
        if row.get("agrees") is False and row["side"] not in WITHOUT_PAIRS:
            line += "  another answer"
        lines.append(line)
    return "\n".join(lines)


def say(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Prints the table and writes ``topology.json`` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", nargs="*", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument(
        "--peers-python", type=Path, default=Path(sys.executable),
        help="interpreter of the environment in which the peers are installed",
    )  # fmt: skip
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--measure", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(ours(asked.source, asked.measure, asked.threads)))
        return
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        for layer in asked.layers:
            path = Path(folder) / f"{layer}.parquet"
            topology_data.write(path, asked.features, LAYERS[layer](asked.features))
            ours(path, "overlaps", asked.threads)
            found = compare(path, asked)
            ratios(found)
            rows += found
    machine = f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}"
    print(f"{asked.features:,} polygons, {asked.threads} threads, {machine}\n{table(rows)}")
    written = {"features": asked.features, "threads": asked.threads, "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

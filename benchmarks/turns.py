"""Sides of a benchmark in turns, each measurement in a process of its own, answers before times."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BEFORE = "before"
"""Side of an earlier checkout."""
Measured = tuple[float, Any]
"""Seconds, and the answer; None where there is nothing to compare."""


@dataclass(frozen=True)
class Side:
    """Who takes part: seconds and answer for a folder of data and a number of threads."""

    measure: Callable[[Path, int], Measured]
    peer: bool = True
    """Runs in the environment of the peers."""


def race(
    script: Path,
    what: str,
    generate: Callable[[Path, int], None],
    sides: Mapping[str, Side],
    targets: Mapping[str, str],
    size: int,
) -> None:
    """Measures all sides on the same data, prints a table and writes JSON beside the script.

    Args:
        script: the file of the benchmark.
        what: one sentence.
        generate: writes the data of a size into a folder.
        sides: ours is the first one.
        targets: what the ratio to a side should be, in words.
        size: default size of the data.

    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--features", type=int, default=size)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers-python", type=Path, default=Path(sys.executable))
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--measure", choices=sides, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        seconds, answer = sides[asked.measure].measure(asked.source, asked.threads)
        text = json.dumps(answer)
        print(json.dumps({
            "seconds": seconds, "answer": text if len(text) < 80 else len(answer),
            "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16],
        }))  # fmt: skip
        return
    with TemporaryDirectory() as folder:
        generate(Path(folder), asked.features)
        options = ["--source", folder, "--threads", str(asked.threads)]
        commands = {
            side: [
                str(asked.peers_python if way.peer else sys.executable), str(script),
                "--measure", side, *options,
            ]
            for side, way in sides.items()
        }  # fmt: skip
        if asked.before is not None:
            ours = next(iter(sides))
            commands[BEFORE] = earlier(asked.before, script, ["--measure", ours, *options])
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in commands}
        for turn in range(asked.repeat):
            for side, command in commands.items():
                if runs[side] and "missing" in runs[side][-1]:
                    continue
                runs[side].append(_measured(command))
                told = runs[side][-1].get("missing") or f"{runs[side][-1]['seconds']:.2f} s"
                print(f"  {turn + 1}/{asked.repeat} {side}: {told}", file=sys.stderr, flush=True)
    rows = _rows(runs)
    machine = f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}"
    print(f"{what}\n{asked.features:,}, {asked.threads} threads, {machine}")
    for row in rows:
        print(_line(row, targets))
    value = {"what": what, "size": asked.features, "threads": asked.threads, "rows": rows}
    script.with_suffix(".json").write_text(json.dumps(value, indent=1) + "\n")


def earlier(checkout: Path, script: Path, options: Sequence[str]) -> list[str]:
    """A call of the same benchmark in an earlier checkout, with its own modules.

    Args:
        checkout: its folder.
        script: the file of the benchmark.
        options: its options.

    """
    home = checkout.resolve()
    there = home / "benchmarks" / script.name
    return ["env", f"PYTHONPATH={home}", sys.executable, str(there), *options]


def _rows(runs: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for side, measured in runs.items():
        row = {"side": side, **measured[-1]}
        if "missing" not in row:
            row["all_seconds"] = [m["seconds"] for m in measured]
            row["seconds"] = statistics.median(row["all_seconds"])
        rows.append(row)
    ours = rows[0]
    for row in rows[1:]:
        if "seconds" in row and "seconds" in ours:
            row["agrees"] = row["answer"] == "null" or row["fingerprint"] == ours["fingerprint"]
            if row["agrees"]:
                row["ratio"] = row["seconds"] / ours["seconds"]
    return rows


def _line(row: Mapping[str, Any], targets: Mapping[str, str]) -> str:
    if "missing" in row:
        return f"{row['side']:28}  {row['missing']}"
    line = f"{row['side']:28}{row['seconds']:9.2f} s  {row['answer']!s:>12}"
    if row.get("agrees") is False:
        return f"{line}  another answer"
    ratio = f"  {row['ratio']:.2f} × ours" if "ratio" in row else ""
    target = f" (target: {targets[row['side']]})" if row["side"] in targets else ""
    return line + ratio + target


def _measured(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    except subprocess.TimeoutExpired:
        return {"missing": "took more than an hour"}
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def timed(call: Callable[[], Any]) -> Measured:
    """Seconds that a call takes, and what it returns."""
    started = time.perf_counter()
    value = call()
    return time.perf_counter() - started, value

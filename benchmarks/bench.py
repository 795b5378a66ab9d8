"""All benchmarks in one run that ends in time: a table of tasks, and JSON for docs/speed.md.

    python benchmarks/bench.py --share 0.05 --only pixels validity

Each benchmark is a script of its own, with its sides in turns; their sizes together take about a
quarter of an hour on two idle cores. One that would end too late is stopped, those after it are not
started, and the table says so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from turns import BEFORE

FOLDER = Path(__file__).parent
OURS = "spatial_pipeline"
SAME = 0.95
"""Least ratio to an earlier checkout: no slower than by 5%."""
LEAST = 1000
"""Features and pixels along a side, at least."""
LONGEST = 400.0
"""Seconds of one benchmark, at most."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        task: what was done.
        size: how many features or pixels.
        ours: our time with its unit; empty where there is none.
        other: with what it is compared.
        theirs: its time with its unit, or why there is none.
        value: their time divided by ours, or what ``goal`` is about.
        goal: the target in words; empty for none.
        met: whether the value meets it, None without a value or a goal.

    """

    task: str
    size: str
    ours: str
    other: str
    theirs: str
    value: float | None
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Benchmark:
    """A script of this folder.

    Attributes:
        name: of the script.
        options: its arguments; numbers that ``scaled`` names are multiplied by the share.
        rows: the lines of its result.
        scaled: options whose value is a size.
        peers: it has the option for the interpreter of the peers.
        written: option for its JSON, empty when it writes beside the script, None for stdout.

    """

    name: str
    options: tuple[str, ...]
    rows: Callable[[Any], Iterator[Row]]
    scaled: tuple[str, ...] = ("--features",)
    peers: bool = False
    written: str | None = ""


def least(
    task: str, size: int | str, ours: float, other: str, theirs: float, goal: float = 0
) -> Row:
    """A row of how many times faster we are, with the least that is aimed at."""
    value, told = theirs / ours, f"at least {goal:g}" if goal else ""
    met = value >= goal if goal else None
    return Row(task, _size(size), f"{ours:.2f} s", other, f"{theirs:.2f} s", value, told, met)


def most(task: str, size: int | str, ours: str, other: str, theirs: str, value: float,
         goal: float) -> Row:  # fmt: skip
    """A row of a value that should be low."""
    return Row(task, _size(size), ours, other, theirs, value, f"at most {goal:g}", value <= goal)


def race(task: str, goals: dict[str, float]) -> Callable[[Any], Iterator[Row]]:
    """Rows of a benchmark of ``turns.race``."""

    def rows(found: Any) -> Iterator[Row]:
        ours, size = found["rows"][0], found["size"]
        for row in found["rows"][1:]:
            if "ratio" in row:
                goal = SAME if row["side"] == BEFORE else goals.get(row["side"], 0)
                yield least(task, size, ours["seconds"], row["side"], row["seconds"], goal)
            else:
                why = row.get("missing", "another answer")
                yield Row(task, _size(size), _seconds(ours), row["side"], why, None)

    return rows


def topology(found: Any) -> Iterator[Row]:
    """Rows of ``topology.py``: both of our sides are compared with each peer."""
    rows = found["rows"]
    for mine in (r for r in rows if r["side"].startswith(OURS)):
        what = mine["side"].partition(": ")[2]
        for row in rows:
            if row["layer"] != mine["layer"] or row["side"].startswith(OURS):
                continue
            task, size = f"{row['layer']}: {what}", found["features"]
            if f"times slower than {what}" in row and "seconds" in mine:
                if not row["side"].startswith(BEFORE):
                    yield least(task, size, mine["seconds"], row["side"], row["seconds"])
                elif row["side"] == f"{BEFORE}, {what}":
                    yield least(task, size, mine["seconds"], BEFORE, row["seconds"], SAME)
            elif what == "overlaps":
                why = row.get("missing", "another answer")
                yield Row(task, _size(size), _seconds(mine), row["side"], why, None)


def ingest(found: Any) -> Iterator[Row]:
    """Rows of ``ingest.py``: it proves what it wrote, so it may take half as long again."""
    for row in found["rows"]:
        ours, gdal = row["seconds"]["ours"], row["seconds"]["gdal"]
        task = f"ingest of {row['format']}"
        yield least(task, row["count"], ours, "GDAL", gdal, 0.67)
        if BEFORE in row["seconds"]:
            yield least(task, row["count"], ours, BEFORE, row["seconds"][BEFORE], SAME)


def feature_rules(found: Any) -> Iterator[Row]:
    """The row of ``feature_rules.py``."""
    ours, theirs = (found["medians"][side]["wall_s"] for side in (OURS, "geopandas"))
    task = "ingest and rules of single features, a GeoPackage"
    yield least(task, found["features"], ours, "GeoPandas, reading and is_valid", theirs)


def incremental(found: Any) -> Iterator[Row]:
    """Rows of ``incremental.py``, beyond the time of reading."""
    for row in found:
        times = row["cpu"]
        value = row["ratio of cpu beyond reading"]
        goal = 0.15 if row["layout"] == "in one place" else 0.35
        yield most(
            f"check of the next version, 1% edited, {row['layout']}", row["features"],
            f"{times['second']:.2f} s", "the first check, reading subtracted from both",
            f"{times['first']:.2f} s", value, goal,
        )  # fmt: skip


def publishing(found: Any) -> Iterator[Row]:
    """Rows of ``publish_table.py``."""
    times = dict(found["median"])
    ours = times.pop(OURS)
    for way, seconds in times.items():
        yield least("publishing to PostGIS", found["features"], ours, way, seconds, 1)


def reading(found: Any) -> Iterator[Row]:
    """Rows of ``read_table.py``."""
    times = {way: sorted(some)[len(some) // 2] for way, some in found.items()}
    for way, seconds in times.items():
        if way == f"stage {BEFORE}":
            yield least("staging from PostGIS", "", times["stage"], BEFORE, seconds, SAME)
        elif way == f"read {BEFORE}":
            yield least("reading from PostGIS", "", times["read"], BEFORE, seconds, SAME)
        elif way not in {"read", "stage"}:
            yield least("reading from PostGIS", "", times["read"], way, seconds, 1)


def heartbeat(found: Any) -> Iterator[Row]:
    """The row of ``heartbeat.py``."""
    worst = found["worst_ms"]
    yield most("longest delay of the event loop during a check", found["features"],
               f"{worst['checking']:.2f} ms", "the loop with no work", f"{worst['idle']:.2f} ms",
               found["worst_over_idle"], 5)  # fmt: skip


def workers(found: Any) -> Iterator[Row]:
    """The row of ``dask_workers.py``."""
    times = found["median_s"]
    yield most("a check on two Dask workers", found["features"], f"{times['two']:.2f} s",
               "one worker", f"{times['one']:.2f} s", found["two_over_one"], 0.6)  # fmt: skip


def steps(found: Any) -> Iterator[Row]:
    """The row of ``dagster_steps.py``."""
    ours, theirs = (found[side]["executor"] for side in ("ours", "theirs"))
    yield least("twelve rules through Dagster", 1000, ours, "twelve checks of nothing", theirs, 5)


STARTUP = {"--help": 0.3, "rules": 0.3, "check of": 1, "contracts, processor": 3,
           "one small": 5, "ten small": 10, "tick": 0.5}  # fmt: skip
"""Part of a figure's name → the most that is aimed at."""


def startup(found: Any) -> Iterator[Row]:
    """Rows of ``startup.py``, the figures that are aimed at."""
    for name, value in found.items():
        for part, goal in STARTUP.items():
            if part in name:
                yield most(name, "", f"{value:.2f} s", "", "", value, goal)


def scale(found: Any) -> Iterator[Row]:
    """The row of ``scale.py``."""
    small, large = found["rows"]
    yield most(f"all families within {found['memory']}", large["features"],
               f"{large['seconds']:.1f} s, {large['peak_mib']:,.0f} MiB",
               f"{small['features']:,}, time for time if it were linear",
               f"{small['seconds']:.1f} s", found["growth"]["seconds"], 1.15)  # fmt: skip


def rules(found: Any) -> Iterator[Row]:
    """The row of ``catalogue.py``; its table by rule is kept beside."""
    total = sum(row["seconds"] for row in found["rows"] if row["than"] == "is_valid")
    task = f"{len(found['rows'])} rules of the catalogue, one by one"
    yield Row(task, _size(found["features"]), f"{total:.1f} s", "is_valid of the polygons once",
              f"{found['is_valid']:.2f} s", None)  # fmt: skip


COVERED = {"postgis": 3.0, "duckdb": 1.0, "geopandas": 1.0, "sedonadb": 1.0}
ALL = (
    Benchmark("topology", ("--features", "200000", "--repeat", "2"), topology, peers=True),
    Benchmark("covered", ("--features", "500000", "--repeat", "3"),
              race("points covered by polygons", COVERED), peers=True),
    Benchmark("covered_polygons", ("--features", "300000", "--repeat", "3"),
              race("polygons covered by polygons", COVERED), peers=True),
    Benchmark("same_features", ("--features", "300000", "--repeat", "3"),
              race("two files have the same features", {"geopandas": 5}), peers=True),
    Benchmark("validity", ("--features", "500000", "--repeat", "3"),
              race("validity rules of single features", {"decoding and is_valid": 0.67})),
    Benchmark("pixels", ("--features", "16384", "--repeat", "3"),
              race("all pixel rules", {"gdalinfo -stats": 2, "bare decoding": 0.77})),
    Benchmark("catalogue", ("--features", "100000", "--pixels", "4096", "--repeat", "1"), rules,
              scaled=("--features", "--pixels")),
    Benchmark("publish_table", ("--features", "200000", "--rounds", "3"), publishing,
              written="--json"),
    Benchmark("read_table", ("--features", "200000", "--rounds", "3"), reading, written="--json"),
    Benchmark("ingest", ("--features", "200000", "--pixels", "8192", "--repeat", "2"), ingest,
              scaled=("--features", "--pixels")),
    Benchmark("feature_rules", ("--features", "300000", "--repeat", "3"), feature_rules),
    Benchmark("incremental", ("--features", "200000", "--repeat", "1"), incremental),
    Benchmark("heartbeat", ("--features", "200000", "--turns", "3"), heartbeat, written=None),
    Benchmark("dask_workers", ("--features", "400000", "--runs", "2"), workers, written=None),
    Benchmark("dagster_steps", ("--repeat", "1"), steps, scaled=(), written=None),
    Benchmark("startup", ("--repeat", "3"), startup, scaled=(), written=None),
    Benchmark("scale", ("--features", "1000000", "--memory", "2GiB"), scale),
)  # fmt: skip


PAIRED = {
    "topology", "covered", "covered_polygons", "same_features", "validity", "pixels", "ingest",
    "read_table",
}  # fmt: skip
"""Benchmarks that take turns with an earlier checkout."""


def _size(size: int | str) -> str:
    return size if isinstance(size, str) else f"{size:,}"


def _seconds(row: dict[str, Any]) -> str:
    return row.get("missing") or f"{row['seconds']:.2f} s"


def command(one: Benchmark, share: float, peers: Path, before: Path | None) -> list[str]:
    """The call of a benchmark, with its sizes times the share."""
    options = list(one.options)
    for name in one.scaled:
        at = options.index(name) + 1
        # A raster of a tenth of the pixels has a third of the side.
        pixels = name == "--pixels" or one.name == "pixels"
        options[at] = str(max(LEAST, round(int(options[at]) * share ** (0.5 if pixels else 1))))
    if one.name in {"publish_table", "read_table"}:
        options.remove("--features")
    if one.peers:
        options += ["--peers-python", str(peers)]
    if before is not None and one.name in PAIRED:
        options += ["--before", str(before)]
    if one.written:
        options += [one.written, str(FOLDER / f"{one.name}.json")]
    return [sys.executable, str(FOLDER / f"{one.name}.py"), *options]


def result(one: Benchmark, called: list[str], seconds: float) -> Any:
    """What a benchmark found.

    Raises:
        RuntimeError: it failed, or did not end in time.

    """
    try:
        done = subprocess.run(called, stdout=subprocess.PIPE, text=True, check=False,
                              timeout=seconds)  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        msg = f"stopped after {seconds:.0f} s"
        raise RuntimeError(msg) from exc
    if done.returncode:
        msg = f"ended with exit code {done.returncode}"
        raise RuntimeError(msg)
    if one.written is None:
        # One object at the end, over several lines or on the last one.
        text = done.stdout
        start = 0 if text.startswith("{") else text.rindex("\n{") + 1
        return json.loads(text[start:])
    return json.loads((FOLDER / f"{one.name}.json").read_text())


def table(rows: Sequence[Row]) -> str:
    """The rows as text, with a mark where a target is missed."""
    cells = [("task", "size", "ours", "compared with", "theirs", "ratio", "target", "")]
    for row in rows:
        value = "" if row.value is None else f"{row.value:.2f}"
        cells.append((row.task, row.size, row.ours, row.other, row.theirs, value, row.goal,
                      "missed" if row.met is False else ""))  # fmt: skip
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def machine() -> str:
    """Cores, processor and versions in one line."""
    model = platform.machine()
    if (told := Path("/proc/cpuinfo")).exists():
        lines = [line for line in told.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(": ")[2] if lines else model
    import shapely

    geos = ".".join(map(str, shapely.geos_version))
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}, GEOS {geos}"


def main() -> None:
    """Runs the benchmarks, prints the table and writes ``bench.json`` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes of a full run")
    parser.add_argument("--minutes", type=float, default=19.0, help="limit of the whole run")
    parser.add_argument("--only", nargs="+", choices=[b.name for b in ALL])
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--peers-python", type=Path, default=Path(sys.executable))
    parser.add_argument("--note", default="", help="what a reader must know of this run")
    asked = parser.parse_args()
    started, found, took = time.monotonic(), {}, {}
    missing: dict[str, str] = {}
    rows: list[Row] = []
    for one in (b for b in ALL if not asked.only or b.name in asked.only):
        begun = time.monotonic()
        left = 60 * asked.minutes - (begun - started)
        if left < 1:
            missing[one.name] = "not started: the time was up"
            continue
        print(f"{one.name} …", file=sys.stderr, flush=True)
        try:
            called = command(one, asked.share, asked.peers_python, asked.before)
            found[one.name] = result(one, called, min(left, LONGEST))
            rows += one.rows(found[one.name])
        except RuntimeError as exc:
            missing[one.name] = str(exc)
        took[one.name] = round(time.monotonic() - begun, 1)
    written = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": machine(),
        "share": asked.share, "minutes": round((time.monotonic() - started) / 60, 1),
        "note": asked.note, "rows": [asdict(row) for row in rows], "missing": missing,
        "seconds": took, "rules": found.get("catalogue"),
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(written, indent=1) + "\n")
    print(f"\n{written['machine']}; sizes × {asked.share:g}; {written['minutes']} minutes")
    print("ratio: their time divided by ours, where the target is 'at least'\n")
    print(table(rows))
    for name, why in missing.items():
        print(f"{name}: {why}")


if __name__ == "__main__":
    main()

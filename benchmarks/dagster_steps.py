"""Twelve rules as one step, beside twelve asset checks that do nothing.

    python benchmarks/dagster_steps.py --repeat 3

Both are materialized by ``dagster asset materialize`` with Dagster's default executor, which starts
a process for every step. Ours ingests a file, evaluates twelve rules and publishes; theirs
returns ``passed=True`` twelve times. The two take turns. Two times are told: that of the executor,
from its first step to its last as it logs it, and that of the command, which on both sides spends
the same on starting Dagster, loading the code location and ending.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

OURS = """
from pathlib import Path
from spatial_pipeline.contract.load import load
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.executor import EXECUTOR
import dagster as dg
defs = dg.Definitions.merge(
    dataset_definitions(load(Path(__file__).parent / "points.yaml")[0]),
    dg.Definitions(executor=EXECUTOR),
)
"""
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: points
  source: {uri: points.geojson}
  key: [id]
  rules:
    - {rule: crs, equals: "EPSG:4326"}
    - {rule: feature_count, min: 1}
    - {rule: geometry_type, any_of: [Point]}
    - {rule: unique, columns: [id]}
    - {rule: not_null, columns: [id]}
    - {rule: value_range, column: id, min: 0}
    - {rule: bounds_within, bounds: [-180, -90, 180, 90]}
    - {rule: not_empty}
    - {rule: finite_coordinates}
    - {rule: no_duplicate_geometries}
"""
"""Ten rules; ``readable`` and ``staged_matches_source`` are in every contract."""
CHECKS = 12
EXECUTOR = re.compile(r"Multiprocess executor: parent process exiting after ([0-9.]+)(ms|s) ")
THEIRS = f"""
import dagster as dg

@dg.asset
def points() -> None: ...

def check(i):
    @dg.asset_check(asset=points, name=f"check_{{i}}", blocking=True)
    def nothing() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)
    return nothing

@dg.asset(deps=[points])
def published() -> None: ...

defs = dg.Definitions(assets=[points, published], asset_checks=[check(i) for i in range({CHECKS})])
"""


def run(folder: Path, module: str) -> dict[str, float]:
    """Seconds of one materialization: of its executor, and of the whole command."""
    home = TemporaryDirectory()
    (Path(home.name) / "dagster.yaml").write_text("telemetry: {enabled: false}", encoding="utf-8")
    store = str(Path(home.name) / "store")
    environment = {**os.environ, "DAGSTER_HOME": home.name, "SPATIAL_STORE": store}
    with (Path(home.name) / "log").open("w+", encoding="utf-8") as printed:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "dagster", "asset", "materialize",
             "--select", "*", "-f", module],
            cwd=folder, env=environment, stdout=printed, stderr=printed, check=False,
        )  # fmt: skip
        elapsed = time.perf_counter() - started
        printed.seek(0)
        log = printed.read()
    passed = log.count("ASSET_CHECK_EVALUATION -")
    if done.returncode or "RUN_SUCCESS" not in log or passed != CHECKS:
        sys.exit(f"{module} did not pass its {CHECKS} checks ({passed}):\n{log}")
    home.cleanup()
    told = EXECUTOR.search(log)
    if told is None or told[2] != "s":
        sys.exit(f"{module} does not say how long its executor took:\n{log}")
    return {"executor": float(told[1]), "command": elapsed}


def main() -> None:
    """Prints medians and their ratio, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    features = [
        {"type": "Feature", "properties": {"id": i},
         "geometry": {"type": "Point", "coordinates": [i / 100, i / 100]}}
        for i in range(1000)
    ]  # fmt: skip
    times: dict[str, list[dict[str, float]]] = {"ours.py": [], "theirs.py": []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "points.geojson").write_text(
            json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8"
        )
        (folder / "points.yaml").write_text(CONTRACT, encoding="utf-8")
        (folder / "ours.py").write_text(OURS, encoding="utf-8")
        (folder / "theirs.py").write_text(THEIRS, encoding="utf-8")
        for _ in range(arguments.repeat):
            for module in times:
                times[module].append(run(folder, module))
    row = "{:<48}{:>10}{:>10}".format
    print(row("seconds, medians", "executor", "command"))
    medians = {
        module: {what: statistics.median(t[what] for t in turns) for what in turns[0]}
        for module, turns in times.items()
    }
    ours, theirs = medians["ours.py"], medians["theirs.py"]
    told = {"ours": ours, "theirs": theirs, "ratio": {w: theirs[w] / ours[w] for w in ours}}
    for name, label in (
        ("ours", f"one step for {CHECKS} rules, ingest and publication"),
        ("theirs", f"{CHECKS} asset checks that do nothing"),
        ("ratio", "ratio"),
    ):
        print(row(label, *(f"{seconds:.1f}" for seconds in told[name].values())))
    print(json.dumps({**told, "turns": times}))


if __name__ == "__main__":
    main()

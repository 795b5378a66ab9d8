"""A disk that is full while a source is staged: a small file system in a mount namespace."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

OTHERS = 20


def features(count: int) -> str:
    made = random.Random(7)
    return json.dumps({
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"t": f"{made.getrandbits(120):030x}"},
                "geometry": {"type": "Point", "coordinates": [made.random(), made.random()]},
            }
            for _ in range(count)
        ],
    })  # fmt: skip


def contract(folder: Path, name: str, source: str) -> None:
    given = {
        "type": "spatial_pipeline.VectorDataset",
        "attributes": {"name": name, "source": {"uri": source}, "rules": [{"rule": "not_empty"}]},
    }
    (folder / f"{name}.yaml").write_text(json.dumps(given))


def test_the_dataset_is_held_with_that_reason_and_twenty_others_pass(tmp_path: Path) -> None:
    folder, store = tmp_path / "contracts", tmp_path / "store"
    folder.mkdir()
    store.mkdir()
    (folder / "big.geojson").write_text(features(100_000))
    (folder / "small.geojson").write_text(features(5))
    contract(folder, "big", "big.geojson")
    for i in range(OTHERS):
        contract(folder, f"small{i}", "small.geojson")
    check = f"{sys.executable} -c 'from spatial_pipeline.cli import main; main()' check --json"
    script = (
        f"mount -t tmpfs -o size=4m tmpfs {store}\n"
        # The others are staged before, so that none of them meets the full disk by chance.
        f"{check} {folder}/small*.yaml > /dev/null || exit 9\n"
        f"{check} {folder}\n"
        "status=$?\n"
        f"find {store}/big -type f | grep -v '\\.lock$' >&2\n"
        "exit $status\n"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", script],
        env=os.environ | {"SPATIAL_STORE": str(store)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    datasets: dict[str, Any] = {d["dataset"]: d for d in json.loads(done.stdout)["datasets"]}
    assert {n for n, d in datasets.items() if not d["passed"]} == {"big"}
    assert len(datasets) == OTHERS + 1
    (readable,) = [r for r in datasets["big"]["results"] if r["rule"] == "readable"]
    assert readable["status"] == "error"
    assert "No space left on device" in readable["message"]
    # What was half written is gone, so that the disk is not full for the next dataset.
    assert str(store) not in done.stderr

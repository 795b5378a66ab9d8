"""``dagster dev`` in the root comes up with no environment, with every contract in it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.orchestration.alerts.run_reader import INVENTORY
from spatial_pipeline.orchestration.retention import RETENTION

ROOT = Path(__file__).parents[1]
QUERY = """{
  workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError {
      __typename ... on PythonError { message }
      ... on RepositoryLocation { repositories {
        sensors { name sensorState { status } } schedules { name } } } } } } }
  assetNodes { assetKey { path } groupName }
  instance { info }
}"""


def ask(port: int) -> dict[str, Any] | None:
    """The webserver's answer; None while it does not listen."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        json.dumps({"query": QUERY}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={"HOME": str(home), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while (found := ask(port)) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_the_code_location_loads(answer: dict[str, Any]) -> None:
    (entry,) = answer["workspaceOrError"]["locationEntries"]
    loaded = entry["locationOrLoadError"]
    assert loaded["__typename"] == "RepositoryLocation", loaded
    assert (entry["name"], entry["loadStatus"]) == ("spatial_pipeline", "LOADED")


def test_every_contract_has_its_three_assets_and_the_inventory_lists_them(
    answer: dict[str, Any],
) -> None:
    names = {p.parent.name for p in (ROOT / "spatial_pipeline" / "defs").glob("*/defs.yaml")}
    names.remove("operations")
    assert len(names) >= 12
    wanted = {f"{name}/{part}" for name in names for part in ("source", "staged", "published")}
    contracts, _ = load_project([ROOT / "spatial_pipeline" / "defs"])
    comparing = {f"{c.name}/comparison" for c in contracts if c.others}
    assert comparing
    wanted |= comparing | {"/".join(INVENTORY.path), "/".join(RETENTION.path)}
    assert {"/".join(a["assetKey"]["path"]) for a in answer["assetNodes"]} == wanted


def test_who_watches_and_who_tells(answer: dict[str, Any]) -> None:
    (entry,) = answer["workspaceOrError"]["locationEntries"]
    (repository,) = entry["locationOrLoadError"]["repositories"]
    status = {s["name"]: s["sensorState"]["status"] for s in repository["sensors"]}
    assert status == dict.fromkeys(
        ("alerts", "counties_source_sensor", "dead_runs", "glaciers_source_sensor"), "RUNNING"
    )
    assert {s["name"] for s in repository["schedules"]} == {
        "counties_schedule",
        "inventory_schedule",
        "retention_schedule",
    }


def test_the_instance_is_that_of_the_root(answer: dict[str, Any]) -> None:
    info = answer["instance"]["info"]
    assert "sqlite" in info.lower()
    assert "retry_on_asset_or_op_failure: false" in info

"""Pictures of Dagster's UI on the demo's datasets: python docs/make_screens.py FOLDER [NAME…].

Starts ``dagster dev`` with a home and a store of its own, materializes every dataset, launches a
backfill, waits for the sensors, and opens pages in a headless browser (chromium or chrome).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
REPOSITORY = {"repositoryLocationName": "spatial_pipeline", "repositoryName": "__repository__"}
AT = "/locations/__repository__@spatial_pipeline"
PAGES = {
    "graph": "/asset-groups",
    "dataset": f"{AT}/asset-groups/plots",
    "lineage": "/assets/glaciers/published?view=lineage&lineageScope=upstream&lineageDepth=4",
    "source": "/assets/plots/source",
    "staged": "/assets/counties/staged",
    "published": "/assets/counties/published",
    "raster": "/assets/dem/published",
    "check": "/assets/plots/staged?view=checks&checkDetail=must_not_overlap",
    "held": "/assets/operations/inventory?view=checks&checkDetail=nothing_held",
    "run": "/runs/{run}",
    "runs": "/runs",
    "backfill": "/runs/b/{backfill}",
    "watching": f"{AT}/sensors/glaciers_source_sensor",
    "alerts": f"{AT}/sensors/alerts",
    "automation": "/automation",
}
LAUNCH = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
BACKFILL = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
TICKS = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
  sensorState { ticks(limit: 20) { status } } } } }"""


def main(folder: Path, names: list[str]) -> None:
    """Writes one PNG a page."""
    browser = next((b for b in map(shutil.which, BROWSERS) if b), None)
    if browser is None:
        sys.exit(f"error: no headless browser found, tried: {', '.join(BROWSERS)}")
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        _listener() as channel,
        _dagster(Path(scratch), channel) as url,
    ):
        ids = _filled(url)
        for name in names or PAGES:
            target = folder / f"{name}.png"
            _shot(browser, Path(scratch), url + PAGES[name].format(**ids), target)
            print(target, flush=True)


@contextmanager
def _listener() -> Iterator[str]:
    """A webhook that takes every alert."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"hook=json://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def _dagster(scratch: Path, channel: str) -> Iterator[str]:
    """``dagster dev`` on a free port; its address."""
    home = scratch / "home"
    home.mkdir()
    settings = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    (home / "dagster.yaml").write_text(f"{settings}\nnux: {{enabled: false}}\n", encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "SPATIAL_STORE": str(scratch / "store"),
        "SPATIAL_ALERT_URLS": channel,
        "SPATIAL_UI_URL": url,
    }
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _until("the webserver listens", lambda: _ask(url, "{ version }"))
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _filled(url: str) -> dict[str, str]:
    """Materializes everything; the ids of the run and of the backfill to show."""
    nodes = _ask(url, "{ assetNodes { assetKey { path } isPartitioned isMaterializable } }")
    assets = [n for n in nodes["assetNodes"] if n["isMaterializable"]]
    whole = [n["assetKey"] for n in assets if not n["isPartitioned"]]
    listed = [k for k in whole if k["path"][0] == "operations"]
    run = _run(url, [k for k in whole if k not in listed])
    told = {
        "assetSelection": [n["assetKey"] for n in assets if n["isPartitioned"]],
        "partitionNames": ["red", "green", "blue"],
        "title": "bands, delivered anew",
    }
    backfill = _ask(url, BACKFILL, p=told)["launchPartitionBackfill"]["backfillId"]
    status = "query($b: String!) { partitionBackfillOrError(backfillId: $b) {"
    status += " ... on PartitionBackfill { status } } }"
    _until(
        "the backfill ends",
        lambda: (
            _ask(url, status, b=backfill)["partitionBackfillOrError"]["status"]
            not in {"REQUESTED", "FAILING"}
        ),
    )
    _run(url, listed)
    # A file counts when two looks in a row, five minutes apart, find the same.
    for sensor, ticks in (("glaciers_source_sensor", 2), ("alerts", 3)):
        selector = {**REPOSITORY, "sensorName": sensor}
        _until(
            f"{sensor} ticks",
            lambda s=selector, n=ticks: (
                len(_ask(url, TICKS, s=s)["sensorOrError"]["sensorState"]["ticks"]) >= n
            ),
        )
    return {"run": run, "backfill": backfill}


def _run(url: str, assets: list[dict[str, Any]]) -> str:
    selector = {**REPOSITORY, "jobName": "__ASSET_JOB", "assetSelection": assets}
    answer = _ask(url, LAUNCH, p={"selector": selector, "runConfigData": {}, "mode": "default"})
    run = str(answer["launchPipelineExecution"]["run"]["runId"])
    query = "query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }"
    _until(
        "the run ends",
        lambda: (
            _ask(url, query, r=run)["runOrError"]["status"] in {"SUCCESS", "FAILURE", "CANCELED"}
        ),
    )
    return run


def _ask(url: str, query: str, **variables: Any) -> Any:
    """The data of the answer; None while nobody listens."""
    request = urllib.request.Request(
        f"{url}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def _until(what: str, done: Any, limit_s: float = 1200) -> None:
    end = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > end:
            sys.exit(f"error: waited {limit_s:.0f} s and yet to come: {what}")
        time.sleep(1)


def _shot(browser: str, scratch: Path, url: str, target: Path) -> None:
    command = [
        browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--user-data-dir={scratch / 'browser'}", "--window-size=1500,950",
        "--virtual-time-budget=30000", f"--screenshot={target}", url,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=180)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screens"), sys.argv[2:])

"""A code server that is killed with its run and started again, under the real daemon."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.orchestration.keys import DATASET_TAG
from spatial_pipeline.orchestration.orphans import dead_runs, end
from spatial_pipeline.runtime import heartbeat
from spatial_pipeline_tests.alert.receivers import Web, web
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

ROOT = Path(__file__).parents[2]
LOCATION = """
import os
import signal
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.executor import EXECUTOR
from spatial_pipeline.orchestration.operations import operations_definitions
from spatial_pipeline.pipeline.pipeline import Pipeline

CRASHED = Path(os.environ["TEST_CRASHED"])
stage = Pipeline.stage


def stage_or_crash(self, contract, *args, **kwargs):
    if contract.name == "small" and not CRASHED.exists():
        CRASHED.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return stage(self, contract, *args, **kwargs)


Pipeline.stage = stage_or_crash


def contract(name, uri, every):
    return VectorContract.model_validate({
        "name": name,
        "source": {"uri": uri},
        "watch": {"every": every},
        "rules": [{"rule": "not_empty"}],
    })


@dg.definitions
def defs():
    operations = OperationsContract.model_validate({"alerts": {"interval_s": 5}})
    return dg.Definitions.merge(
        dataset_definitions(contract("points", os.environ["TEST_URL"], "3600s")),
        dataset_definitions(contract("small", os.environ["TEST_FILE"], "5s")),
        operations_definitions(operations),
        dg.Definitions(executor=EXECUTOR),
    )
"""
WORKSPACE = """
load_from:
  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: orphaned}}
"""
PATIENCE_S = 240


class Slow:
    """A web server of one file that answers no GET while it is told to wait."""

    def __init__(self, file: Path) -> None:
        self.wait = threading.Event()
        self.asked = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._head()

            def do_GET(self) -> None:
                outer.asked.set()
                while outer.wait.is_set():
                    time.sleep(0.05)
                with contextlib.suppress(OSError):
                    self._head()
                    self.wfile.write(file.read_bytes())

            def _head(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(file.stat().st_size))
                self.send_header("ETag", '"1"')
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/points.geojson"


@contextmanager
def process(folder: Path, log: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process and everything that it starts, killed at the end."""
    with (folder / log).open("ab") as file:
        made = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            yield made
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(made.pid, signal.SIGKILL)
            made.wait()


def eventually(what: Callable[[], bool], folder: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        logs = "".join(f.read_text()[-4000:] for f in folder.glob("*.log"))
        assert time.monotonic() < until, logs
        time.sleep(0.5)


@pytest.mark.timeout(600)
def test_neither_a_killed_code_server_nor_a_crash_loses_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    (tmp_path / "location.py").write_text(LOCATION)
    write_points(tmp_path / "points.geojson", GOOD)
    slow = Slow(tmp_path / "points.geojson")
    slow.wait.set()
    crashed = tmp_path / "crashed"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "workspace.yaml").write_text(WORKSPACE.format(port=port))
    server = ("dagster", "api", "grpc", "-p", str(port), "-f", "location.py", "-a", "defs")
    with web() as hook:
        for name, value in {
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "SPATIAL_STORE": str(tmp_path / "store"),
            "SPATIAL_RUN_PATIENCE_S": "20",
            "SPATIAL_ALERT_URLS": f"hook={hook.url}",
            "TEST_URL": slow.url,
            "TEST_FILE": str(tmp_path / "points.geojson"),
            "TEST_CRASHED": str(crashed),
        }.items():
            monkeypatch.setenv(name, value)
        with (
            dg.DagsterInstance.from_config(str(home)) as instance,
            process(tmp_path, "daemon.log", "dagster._daemon", "run", "-w", "workspace.yaml"),
        ):

            def runs(name: str) -> list[dg.DagsterRun]:
                of = dg.RunsFilter(job_name=f"{name}_job")
                return list(reversed(instance.get_runs(of)))

            def tried_twice(name: str) -> bool:
                return len(runs(name)) == 2 and runs(name)[1].is_finished

            with process(tmp_path, "server.log", *server):
                eventually(lambda: slow.asked.is_set() and crashed.exists(), tmp_path)
                (first,) = runs("points")
                assert first.status is dg.DagsterRunStatus.STARTED
                assert first.run_id in heartbeat.ages(tmp_path / "store")
            # The steps of a small run have no process but the run's worker.
            (small,) = runs("small")
            worker = [e.message for e in instance.all_logs(small.run_id) if "pid" in e.message]
            assert any(f"pid: {crashed.read_text()}" in message for message in worker), worker
            slow.wait.clear()
            with process(tmp_path, "server.log", *server):
                for name in ("points", "small"):
                    eventually(lambda name=name: tried_twice(name), tmp_path)
                    ended, again = runs(name)
                    assert ended.status is dg.DagsterRunStatus.FAILURE
                    assert again.status is dg.DagsterRunStatus.SUCCESS
                    assert again.tags["dagster/parent_run_id"] == ended.run_id
                    assert (tmp_path / f"store/{name}/-/published.json").is_file()
                eventually(lambda: len(told(hook)) == 2, tmp_path)
                assert {(m["dataset"], m["kind"]) for m in told(hook)} == {
                    ("points", "run"),
                    ("small", "run"),
                }
                assert all(m["summary"].startswith("no sign of life since") for m in told(hook))
                assert all("Dagster retries it" in m["summary"] for m in told(hook))


def told(hook: Web) -> list[dict[str, Any]]:
    """The first message of each dataset."""
    first: dict[str, dict[str, Any]] = {}
    for post in hook.received:
        for message in post["alerts"]:
            first.setdefault(message["dataset"], message)
    return list(first.values())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test() as made:
        yield made


def started(instance: dg.DagsterInstance, name: str = "points") -> dg.DagsterRun:
    """A run that begins now, as its events say."""
    run = create_run_for_test(
        instance,
        job_name=f"{name}_job",
        status=dg.DagsterRunStatus.STARTED,
        tags={DATASET_TAG: name} if name != "foreign" else {},
    )
    instance.report_engine_event("started", run)
    return run


def age(store: Path, name: str, seconds: float) -> None:
    """Sets the last sign of life back."""
    file = store / heartbeat.FOLDER / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    then = (datetime.now(UTC) - timedelta(seconds=seconds)).timestamp()
    os.utime(file, (then, then))


def test_who_is_dead(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, beating, waiting, foreign = (
        started(instance, n) for n in ("silent", "beating", "waiting", "foreign")
    )
    age(tmp_path, silent.run_id, 500)
    age(tmp_path, beating.run_id, 5)
    # Under another executor, this step may wait for a slot.
    age(tmp_path, waiting.run_id + heartbeat.STEP, 500)

    def dead(after_s: float) -> set[str]:
        later = time.time() + after_s
        with monkeypatch.context() as patch:
            patch.setattr("spatial_pipeline.orchestration.orphans.time.time", lambda: later)
            found = dead_runs(instance, tmp_path, None, 120.0)
            return {d.run.run_id for d in found}

    assert dead(10) == set()  # an event is a sign of life, too
    assert dead(200) == {silent.run_id}
    age(tmp_path, waiting.run_id + heartbeat.STEP, 5000)
    assert dead(5000) == {silent.run_id, waiting.run_id}
    assert foreign.run_id not in dead(50_000)


def test_a_run_that_ended_meanwhile_is_left_alone(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(instance)
    age(tmp_path, run.run_id, 500)
    later = time.time() + 200
    monkeypatch.setattr("spatial_pipeline.orchestration.orphans.time.time", lambda: later)
    (dead,) = dead_runs(instance, tmp_path, None, 120.0)
    instance.report_run_failed(run, "ended")
    assert "ended by itself" in end(instance, dead)


def test_the_slots_of_a_dead_run_are_free_at_once(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(instance)
    events = instance.event_log_storage
    events.set_concurrency_slots("postgis", 1)
    assert events.claim_concurrency_slot("postgis", run.run_id, "step").is_claimed
    age(tmp_path, run.run_id, 500)
    later = time.time() + 200
    monkeypatch.setattr("spatial_pipeline.orchestration.orphans.time.time", lambda: later)
    (dead,) = dead_runs(instance, tmp_path, None, 120.0)
    assert events.get_concurrency_info("postgis").active_run_ids == {run.run_id}
    end(instance, dead)
    assert events.get_concurrency_info("postgis").active_run_ids == set()


def test_a_run_shows_that_it_lives_until_it_ends(tmp_path: Path) -> None:
    with heartbeat.beating(tmp_path, "run", 0.01):
        until = time.monotonic() + 60
        while "run" not in heartbeat.ages(tmp_path):
            assert time.monotonic() < until
        first = (tmp_path / heartbeat.FOLDER / "run").stat().st_mtime_ns
        while (tmp_path / heartbeat.FOLDER / "run").stat().st_mtime_ns == first:
            assert time.monotonic() < until
    heartbeat.forget(tmp_path, ["run", "never"])
    assert heartbeat.ages(tmp_path) == {}


def test_a_full_disk_ends_no_run(tmp_path: Path) -> None:
    (tmp_path / heartbeat.FOLDER).write_text("no folder")
    with heartbeat.beating(tmp_path, "run", 0.01):
        time.sleep(0.05)

"""``spatial-pipeline health``, of a deployment that works and of one in which a part is down."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._daemon.types import DaemonHeartbeat
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.orchestration.health import Probe, probes
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.alert.receivers import web
from spatial_pipeline_tests.orchestration.alert_daemon import (
    LOCATION,
    Daemon,
    environment,
    overrides,
)
from spatial_pipeline_tests.postgres import Cluster


class Watcher:
    """A service that counts requests; ``status`` is its answer."""

    def __init__(self) -> None:
        self.pings = 0
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.pings += 1
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/ping/secret"


@contextmanager
def watching() -> Iterator[Watcher]:
    made = Watcher()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def beat(instance: dg.DagsterInstance, ago_s: float = 0.0) -> None:
    """The heartbeats of all daemons, as the daemon process writes them."""
    for kind in instance.get_required_daemon_types():
        instance.add_daemon_heartbeat(
            DaemonHeartbeat(
                timestamp=time.time() - ago_s, daemon_type=kind, daemon_id="1", errors=[]
            )
        )


def by_name(home: str | None) -> dict[str, Probe]:
    return {p.name: p for p in probes(Settings(), home)}


def test_every_part_is_seen_and_a_good_tick_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web() as hook, watching() as watcher:
        variables = {
            **environment(tmp_path, alerts={"retry_after_s": 0}),
            "SPATIAL_ALERT_URLS": f"hook={hook.url}",
            "SPATIAL_HEARTBEAT_URL": watcher.url,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with (
            instance_for_test(overrides=overrides("sqlite", None)) as instance,
            create_test_daemon_workspace_context(LOCATION, instance) as workspace,
        ):
            home = instance.root_directory
            monkeypatch.setenv("DAGSTER_HOME", home)
            before = by_name(home)
            assert not before["daemon"].healthy
            assert "never ran" in before["daemon"].said
            assert not before["location"].healthy

            daemon = Daemon(workspace, instance)
            assert daemon.tick().error is None
            assert watcher.pings == 1
            beat(instance)
            now = by_name(home)
            assert {p.name for p in now.values() if not p.healthy} == set(), now
            assert "alerting" in now["location"].said
            done = CliRunner().invoke(app, ["health", "--json"])
            assert done.exit_code == 0, done.output
            said = json.loads(done.stdout)
            assert said["healthy"] is True
            assert [p["name"] for p in said["probes"]] == list(now)

            # A service that is down stops no alert; it is said, without its secret.
            watcher.status = 500
            tick = daemon.tick()
            assert "no heartbeat was taken: status 500" in (tick.skip_reason or "")
            assert "secret" not in (tick.skip_reason or "")

            beat(instance, ago_s=3600)
            blocked = tmp_path / "blocked"
            blocked.write_text("no folder")
            monkeypatch.setenv("SPATIAL_STORE", str(blocked / "store"))
            monkeypatch.setenv("SPATIAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
            monkeypatch.setenv("SPATIAL_DATABASE_ACQUIRE_TIMEOUT_S", "1")
            worse = by_name(home)
            assert {p.name for p in worse.values() if not p.healthy} == {
                "daemon", "store", "database",
            }  # fmt: skip
            assert "no sign of life since" in worse["daemon"].said
            done = CliRunner().invoke(app, ["health"])
            assert done.exit_code == 1
            assert "wrong  database" in done.stdout


def test_without_an_instance_and_with_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Cluster
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SPATIAL_DATABASE_URL", postgres.dsn("postgres"))
    found = by_name(None)
    assert not found["daemon"].healthy
    assert found["database"] == Probe("database", True, "it answers")
    assert found["channels"].said == "none: nobody is told"
    assert list(tmp_path.joinpath("store").iterdir()) == []

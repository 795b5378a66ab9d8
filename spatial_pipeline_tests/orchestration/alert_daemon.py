"""Ticks of the alert sensor through Dagster's sensor daemon, on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from spatial_pipeline.orchestration.alerts import NAME
from spatial_pipeline_tests.postgres import Cluster

LOCATION = ModuleTarget(
    module_name="spatial_pipeline_tests.orchestration.alerts_location",
    attribute="defs",
    working_directory=None,
    location_name="alerting",
)
logger = logging.getLogger("test")


def overrides(storage: str, cluster: Cluster | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "run_launcher": {
            "module": "dagster._core.launcher.sync_in_memory_run_launcher",
            "class": "SyncInMemoryRunLauncher",
        },
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        },
    }
    if storage == "postgres":
        assert cluster is not None
        found["storage"] = {
            "postgres": {
                "postgres_db": {
                    "scheme": "postgresql+psycopg2",
                    "hostname": cluster.host,
                    "port": cluster.port,
                    "db_name": cluster.new_database("alerts"),
                    "username": cluster.user,
                    "password": cluster.password,
                }
            }
        }
    return found


class Daemon:
    """A sensor daemon that ticks when it is told to."""

    def __init__(self, workspace: WorkspaceProcessContext, instance: dg.DagsterInstance) -> None:
        self.workspace = workspace
        self.instance = instance
        self.now = datetime.now(UTC)

    def tick(self) -> InstigatorTick:
        """One tick of the alert sensor; what became of it."""
        # A tick within the sensor's interval would be skipped.
        self.now += timedelta(seconds=120)
        with freeze_time(self.now):
            list(execute_sensor_iteration(self.workspace, logger, None, None))
        request = self.workspace.create_request_context()
        (repository,) = request.code_locations[0].get_repositories().values()
        sensor = repository.get_sensor(NAME)
        (latest,) = self.instance.get_ticks(
            sensor.get_remote_origin_id(), sensor.selector_id, limit=1
        )
        return latest


@contextlib.contextmanager
def running_daemon(storage: str, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    cluster = request.getfixturevalue("postgres") if storage == "postgres" else None
    with (
        instance_for_test(overrides=overrides(storage, cluster)) as instance,
        create_test_daemon_workspace_context(LOCATION, instance) as workspace,
    ):
        yield Daemon(workspace, instance)


def prepared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of the code location."""
    monkeypatch.setenv("SPATIAL_STORE", str(folder / "store"))
    monkeypatch.setenv("SPATIAL_TEST_FOLDER", str(folder))
    monkeypatch.setenv("SPATIAL_UI_URL", "http://ui")
    return folder

"""Ticks of the alert sensor through Dagster's sensor daemon, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.test_utils import (
    create_run_for_test,
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.orchestration.alerts.sensor import NAME
from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.alert.receivers import Post, Web, post, web
from spatial_pipeline_tests.orchestration.alerts_location import KEYS, few
from spatial_pipeline_tests.orchestration.databases import dagster_database
from spatial_pipeline_tests.orchestration.projects import run, write_points
from spatial_pipeline_tests.postgres import Cluster

LOCATION = ModuleTarget(
    module_name="spatial_pipeline_tests.orchestration.alerts_location",
    attribute="defs",
    working_directory=None,
    location_name="alerting",
)
TILES = dg.AssetSelection.assets(staged_key("tiles"), published_key("tiles"))
FINE = [[i, i] for i in range(6)]
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
                    "db_name": dagster_database(cluster),
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


@dataclass
class World:
    """A code location with its operations, its daemon, and receivers of its alerts."""

    folder: Path
    environment: dict[str, str]
    daemon: Daemon
    hook: Web
    mail: Post

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.daemon.instance

    def tick(self) -> InstigatorTick:
        return self.daemon.tick()

    def supply(self, key: str, points: list[Any]) -> None:
        write_points(self.folder / f"{key}.geojson", points)

    def build(self, key: str, selection: dg.AssetSelection = TILES) -> bool:
        return run(few(), self.instance, selection, partition=key).success

    def report(self, contract: VectorContract, key: str | None = None) -> int:
        """A run that checked a dataset, as the events say that matter; how many checks failed.

        The verdict in the store is a real one. A whole run writes three events a check, each in
        transactions of its own.
        """
        pipeline = Pipeline.of([contract])
        version = pipeline.stage(contract, key)
        failed = [r for r in asyncio.run(pipeline.audit(contract, version)).results if not r.passed]
        with contextlib.suppress(GateClosedError):
            pipeline.publish(contract, version)
        run = create_run_for_test(self.instance, status=dg.DagsterRunStatus.STARTED)

        def event(kind: DagsterEventType, data: Any = None) -> None:
            said = DagsterEvent(
                event_type_value=kind.value,
                job_name=run.job_name,
                step_key=None if data is None else f"{contract.name}__checks",
                event_specific_data=data,
            )
            self.instance.report_dagster_event(said, run_id=run.run_id)

        for result in failed:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=staged_key(contract.name),
                check_name=result.name,
                passed=False,
                metadata={"version": dg.MetadataValue.text(version.id)},
                partition=key,
            )
            event(DagsterEventType.ASSET_CHECK_EVALUATION, evaluation)
        event(DagsterEventType.RUN_SUCCESS)
        return len(failed)


def environment(folder: Path, **operations: Any) -> dict[str, str]:
    """What the code location needs, but the channels."""
    return {
        "SPATIAL_STORE": str(folder / "store"),
        "SPATIAL_TEST_FOLDER": str(folder),
        "SPATIAL_UI_URL": "http://ui",
        "TEST_OPERATIONS": json.dumps(operations),
    }


@contextlib.contextmanager
def running_world(
    storage: str, folder: Path, cluster: Cluster | None, rules: int = 1
) -> Iterator[World]:
    """A world on SQLite or on PostgreSQL; its code server lives as long as it."""
    for key in KEYS:
        write_points(folder / f"{key}.geojson", FINE)
    with (
        web() as hook,
        post() as mail,
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as stack,
    ):
        variables = {
            **environment(folder, alerts={"retry_after_s": 0}),
            "SPATIAL_ALERT_URLS": f"hook={hook.url}, mail={mail.url}",
            "TEST_RULES": str(rules),
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        instance = stack.enter_context(instance_for_test(overrides=overrides(storage, cluster)))
        # Else it is late two minutes after the first tick, in the middle of any test.
        instance.report_runless_asset_event(dg.AssetMaterialization(published_key("storm")))
        workspace = stack.enter_context(create_test_daemon_workspace_context(LOCATION, instance))
        workspace.create_request_context()
        yield World(folder, variables, Daemon(workspace, instance), hook, mail)

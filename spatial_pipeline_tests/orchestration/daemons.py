"""A real instance, a real workspace, and iterations of Dagster's own daemons over them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_key import AssetKey
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.utils import InheritContextThreadPoolExecutor
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.freshness import FreshnessDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from spatial_pipeline.errors import NotPublishedError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.orchestration.databases import dagster_database
from spatial_pipeline_tests.postgres import Cluster

LOCATION = """
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.orchestration.dataset import dataset_definitions


@dg.definitions
def defs():
    contracts, _ = load_project([Path(__file__).parent])
    swift = dg.Definitions(executor=dg.in_process_executor)
    return dg.Definitions.merge(swift, *(dataset_definitions(c) for c in contracts))
"""
"""A code location of the contracts beside it. Dagster loads a file once a process, so every test
has its own."""


class WaitingRunLauncher(SyncInMemoryRunLauncher):
    """Executes a run at once, in a thread: the asset daemon launches runs from within a loop."""

    def launch_run(self, context: LaunchRunContext) -> None:
        thread = Thread(target=super().launch_run, args=(context,))
        thread.start()
        thread.join()


SYNCHRONOUS = {
    "run_launcher": {
        "module": "spatial_pipeline_tests.orchestration.daemons",
        "class": "WaitingRunLauncher",
    },
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    },
}
STORAGES = ("sqlite", "postgres")
logger = logging.getLogger("test")


@contextmanager
def storage(kind: str, request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    """An instance on SQLite, or on a database of its own of the suite's server."""
    overrides: dict[str, Any] = dict(SYNCHRONOUS)
    if kind == "postgres":
        cluster: Cluster = request.getfixturevalue("postgres")
        dsn = cluster.dsn(dagster_database(cluster))
        url = dsn.replace("postgresql://", "postgresql+psycopg2://")
        overrides["storage"] = {"postgres": {"postgres_url": url}}
    with instance_for_test(overrides=overrides) as made:
        yield made


class Deployment:
    """A folder of contracts and sources, served to daemons whose clock we hold."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.instance = instance
        self.now = datetime.now(UTC)

    @contextmanager
    def serving(self, **contracts: str) -> Iterator[None]:
        """The code location of some contracts: name → the rest of its attributes, in YAML."""
        for name, attributes in contracts.items():
            text = "\n".join(f"  {line}" for line in attributes.strip().splitlines())
            (self.folder / f"{name}.yaml").write_text(
                f"type: spatial_pipeline.VectorDataset\nattributes:\n  name: {name}\n{text}\n"
            )
        file = self.folder / "location.py"
        file.write_text(LOCATION)
        target = PythonFileTarget(
            python_file=str(file), attribute="defs", working_directory=None, location_name="ops"
        )
        with create_test_daemon_workspace_context(target, self.instance) as self.workspace:
            yield

    def pass_by(self, **time: float) -> None:
        """Lets time pass."""
        self.now += timedelta(**time)

    def sense(self, times: int = 1) -> list[InstigatorTick]:
        """Iterations of the sensor daemon, a minute and more apart; the last ticks of all."""
        for _ in range(times):
            self.pass_by(seconds=70)
            with freeze_time(self.now):
                errors = list(execute_sensor_iteration(self.workspace, logger, None, None))
            assert not [e for e in errors if e is not None], errors
        return self.ticks()

    def ticks(self) -> list[InstigatorTick]:
        """The last tick of every sensor that is no automation."""
        return [
            self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0]
            for state in self.instance.all_instigator_state()
            if state.instigator_name.endswith("_source_sensor")
        ]

    def automate(self, times: int = 1) -> None:
        """Iterations of the asset daemon, two minutes apart."""
        daemon = AssetDaemon(
            settings=self.instance.get_auto_materialize_settings(), pre_sensor_interval_seconds=1
        )
        for _ in range(times):
            self.pass_by(seconds=120)
            with (
                freeze_time(self.now),
                InheritContextThreadPoolExecutor(max_workers=1) as executor,
            ):
                futures: dict[Any, Any] = {}
                daemon._run_iteration_impl(self.workspace, executor, futures, {})
                for future in futures.values():
                    future.result(timeout=120)
        for state in self.instance.all_instigator_state():
            ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
            assert not [t.error for t in ticks if t.error is not None]

    def schedule(self, iterations: dict[str, Any]) -> None:
        """An iteration of the scheduler."""
        with freeze_time(self.now):
            errors = list(launch_scheduled_runs(self.workspace, logger, self.now, iterations))
        assert not [e for e in errors if e is not None], errors

    def judge_freshness(self, key: AssetKey) -> str:
        """State of an asset after an iteration of the freshness daemon."""
        with freeze_time(self.now):
            list(FreshnessDaemon().run_iteration(self.workspace))
        return str(self.instance.get_freshness_state_records([key])[key].freshness_state.value)

    def runs(self) -> list[tuple[str | None, tuple[str, ...], str]]:
        """Partition, assets (of a whole job its name) and outcome of all runs, oldest first."""
        return [
            (
                r.tags.get("dagster/partition"),
                tuple(sorted(k.path[-1] for k in r.asset_selection or ())) or (r.job_name,),
                r.status.value,
            )
            for r in reversed(self.instance.get_runs())
        ]

    def published(self, name: str, partition: str | None = None) -> int | None:
        """Features that readers see; None when nothing was published."""
        store = Pipeline.of([]).store
        try:
            version = store.published_version(name, partition)
        except NotPublishedError:
            return None
        return store.profile(version).count

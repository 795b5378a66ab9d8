"""The sensor and the backfill daemon over ``schema_location``, iteration by iteration."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget, ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.sensor import execute_sensor_iteration

from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.orchestration.databases import dagster_database
from spatial_pipeline_tests.orchestration.launcher import SYNCHRONOUS
from spatial_pipeline_tests.orchestration.schema_location import (
    BUILT,
    contract,
    write_contract,
    write_source,
)
from spatial_pipeline_tests.postgres import Cluster

MODULE = "spatial_pipeline_tests.orchestration.schema_location"
SERVED = ModuleTarget(
    module_name=MODULE, attribute="defs", working_directory=None, location_name="schema"
)
"""The code location in a server of its own, as in production."""
logger = logging.getLogger("test")
logger.setLevel(logging.ERROR)


@contextmanager
def instance_on(storage: str, request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    """An instance on SQLite, or in a new database of the suite's own server."""
    overrides: dict[str, Any] = dict(SYNCHRONOUS)
    if storage == "postgres":
        cluster: Cluster = request.getfixturevalue("postgres")
        address = {
            "scheme": "postgresql+psycopg2",
            "hostname": cluster.host,
            "port": cluster.port,
            "username": cluster.user,
            "password": cluster.password,
            "db_name": dagster_database(cluster),
        }
        overrides["storage"] = {"postgres": {"postgres_db": address}}
    with instance_for_test(overrides=overrides) as made:
        yield made


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, keys: Sequence[str] = BUILT) -> None:
    """Publishes partitions whose codes are numbers."""
    monkeypatch.setenv("SPATIAL_STORE", str(folder / "store"))
    monkeypatch.setenv("SPATIAL_TEST_FOLDER", str(folder))
    made = write_contract(folder, "integer")
    pipeline = Pipeline.of([made])
    for i, key in enumerate(keys):
        write_source(folder, key, [i, i + 1])
        version = pipeline.stage(made, key)
        asyncio.run(pipeline.audit(made, version))
        pipeline.publish(made, version)


def published(folder: Path, keys: Sequence[str] = BUILT) -> dict[str, str]:
    pipeline = Pipeline.of([contract(folder)])
    return {k: pipeline.store.published_version("parcels", k).id for k in keys}


def retype(folder: Path, keys: Sequence[str] = BUILT, bad: str | None = None, **more: Any) -> None:
    """Codes become text, in the contract and in the sources; one source may stay behind."""
    write_contract(folder, "string", **more)
    for i, key in enumerate(keys):
        write_source(folder, key, [i, i + 1] if key == bad else [f"c{i}", f"c{i + 1}"])


class Daemon:
    """The sensor and the backfill daemon of one code location, iteration by iteration."""

    now = datetime.now(UTC)

    def __init__(self, workspace: WorkspaceProcessContext, instance: dg.DagsterInstance) -> None:
        self.workspace = workspace
        self.instance = instance

    def tick(self) -> str:
        """One tick of every sensor; what the one of the schema said."""
        # A tick within the sensor's interval would be skipped.
        Daemon.now += timedelta(seconds=60)
        with freeze_time(Daemon.now):
            errors = [e for e in execute_sensor_iteration(self.workspace, logger, None, None) if e]
        assert not errors, errors
        (state,) = [
            s
            for s in self.instance.all_instigator_state()
            if s.instigator_name.endswith("_schema_sensor")
        ]
        (tick,) = self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        assert tick.error is None
        assert tick.timestamp == Daemon.now.timestamp(), "the tick was left out"
        return tick.skip_reason or ""

    def work(self, rounds: int = 12) -> PartitionBackfill | None:
        """Iterations of the backfill daemon until nothing is active; the last backfill."""
        for _ in range(rounds):
            for error in execute_backfill_iteration(self.workspace, logger):
                assert error is None, error
            if not self.active:
                break
        found = self.instance.get_backfills(limit=1)
        return found[0] if found else None

    @property
    def active(self) -> bool:
        return any(
            b.status in (BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING)
            for b in self.instance.get_backfills()
        )

    def settle(self) -> list[str]:
        """Ticks and backfills until the sensor asks for nothing more; what it said."""
        said = []
        for _ in range(8):
            said.append(self.tick())
            if not self.active:
                return said
            self.work()
        pytest.fail(f"the sensor does not come to rest: {said}")

    def runs(self) -> Counter[str]:
        """Runs by partition."""
        return Counter(r.tags["dagster/partition"] for r in self.instance.get_runs())


@contextmanager
def daemon(instance: dg.DagsterInstance, target: Any = None) -> Iterator[Daemon]:
    """The code location as its contract is now; in this process unless a server is given."""
    with create_test_daemon_workspace_context(target or loaded(), instance) as workspace:
        yield Daemon(workspace, instance)


def loaded(module: str = MODULE) -> InProcessWorkspaceLoadTarget:
    """The code location in this process, which starts ten times as fast as a server.

    From a file of its own, because Dagster loads the same file only once.
    """
    path = Path(os.environ["SPATIAL_TEST_FOLDER"]) / f"location_{uuid4().hex}.py"
    path.write_text(f"from {module} import load\n\ndefs = load()\n")
    origin = LoadableTargetOrigin(python_file=str(path), attribute="defs")
    return InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(origin, location_name="schema"))

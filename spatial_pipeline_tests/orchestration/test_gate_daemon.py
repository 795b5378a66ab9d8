"""The gate through real daemon iterations: a backfill in several runs, and ``eager()``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import (
    create_test_daemon_workspace_context,
    freeze_time,
    instance_for_test,
)
from dagster._core.utils import InheritContextThreadPoolExecutor
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.backfill import execute_backfill_iteration

from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.orchestration.gate_location import KEYS, defs, plain, tiles
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, run, write_points

LOCATION = ModuleTarget(
    module_name="spatial_pipeline_tests.orchestration.gate_location",
    attribute="defs",
    working_directory=None,
    location_name="gate",
)
SYNCHRONOUS = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    },
}
logger = logging.getLogger("test")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SPATIAL_TEST_FOLDER", str(tmp_path))
    for key in KEYS:
        write_points(tmp_path / f"{key}.geojson", GOOD)
    write_points(tmp_path / "plain.geojson", GOOD)
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test(overrides=SYNCHRONOUS) as made:
        yield made


@pytest.fixture
def workspace(folder: Path, instance: dg.DagsterInstance) -> Iterator[WorkspaceProcessContext]:
    with create_test_daemon_workspace_context(LOCATION, instance) as context:
        yield context


def backfill(
    workspace: WorkspaceProcessContext, instance: dg.DagsterInstance, name: str = "nightly"
) -> PartitionBackfill:
    """A backfill of all partitions, through daemon iterations until it has ended."""
    graph = workspace.create_request_context().asset_graph
    instance.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id=name,
            asset_graph=graph,
            partition_names=KEYS,
            asset_selection=[staged_key("points"), published_key("points"), dg.AssetKey("mosaic")],
            backfill_timestamp=1_800_000_000.0,
            tags={},
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=None,
            description=None,
            run_config=None,
        )
    )
    for _ in range(12):
        errors = [e for e in execute_backfill_iteration(workspace, logger) if e is not None]
        assert not errors, errors
        state = instance.get_backfill(name)
        if state.status not in (BulkActionStatus.REQUESTED, BulkActionStatus.FAILING):
            return state
    pytest.fail("the backfill did not end")


def mosaic_rows(instance: dg.DagsterInstance) -> dict[str, int]:
    event = instance.get_latest_materialization_event(dg.AssetKey("mosaic"))
    return dict(event.asset_materialization.metadata["rows"].value)


def test_a_backfill_in_several_runs_where_one_partition_fails(
    folder: Path, workspace: WorkspaceProcessContext, instance: dg.DagsterInstance
) -> None:
    contract = tiles(folder)
    pipeline = Pipeline.of([contract])
    first = {}
    for key in KEYS:
        first[key] = pipeline.stage(contract, key)
        asyncio.run(pipeline.audit(contract, first[key]))
        pipeline.publish(contract, first[key])

    write_points(folder / "p1.geojson", [*GOOD, [9, 9]])
    write_points(folder / "p2.geojson", [*BAD, [9, 9]])
    state = backfill(workspace, instance)
    assert state.status is BulkActionStatus.COMPLETED_FAILED
    runs = [
        r.tags["dagster/partition"] for r in instance.get_runs() if "dagster/partition" in r.tags
    ]
    assert sorted(runs) == KEYS

    now = {k: pipeline.store.published_version("points", k) for k in KEYS}
    assert now["p1"] != first["p1"]
    assert now["p2"] == first["p2"]
    # The fan-in downstream, whoever launches it, sees the last good version of the held partition.
    assert run(defs(), instance, dg.AssetSelection.assets("mosaic")).success
    assert mosaic_rows(instance) == {"p1": 4, "p2": 3}

    checks = dg.AssetCheckKey(staged_key("points"), "not_empty")
    records = instance.event_log_storage.get_asset_check_execution_history(checks, limit=20)
    latest: dict[Any, bool] = {}
    for record in sorted(records, key=lambda r: r.id):
        latest[record.partition] = record.event.dagster_event.event_specific_data.passed
    assert latest == {"p1": True, "p2": False}


def test_eager_automation_through_a_daemon_iteration(
    folder: Path, workspace: WorkspaceProcessContext, instance: dg.DagsterInstance
) -> None:
    pipeline = Pipeline.of([plain(folder)])
    staged = dg.AssetSelection.assets(staged_key("plain"))
    names = [r.check_name for r in plain(folder).effective_rules]
    checks = [dg.AssetCheckKey(staged_key("plain"), n) for n in names]
    request = workspace.create_request_context()
    (repository,) = request.code_locations[0].get_repositories().values()
    (sensor,) = repository.get_sensors()
    instance.start_sensor(sensor)
    daemon = AssetDaemon(
        settings=instance.get_auto_materialize_settings(), pre_sensor_interval_seconds=1
    )

    def published_runs() -> list[str]:
        """Outcome of the runs of the published asset that the daemon has launched so far."""
        runs = [
            r
            for r in instance.get_runs()
            if r.asset_selection == {published_key("plain")}
            and "dagster/from_automation_condition" in r.tags
        ]
        return [r.status.value for r in reversed(runs)]

    now = datetime.now(UTC)

    def tick() -> None:
        # A tick within the sensor's interval would be skipped.
        nonlocal now
        now += timedelta(seconds=120)
        with (
            freeze_time(now),
            InheritContextThreadPoolExecutor(max_workers=1) as executor,
        ):
            futures: dict[Any, Any] = {}
            daemon._run_iteration_impl(workspace, executor, futures, {})
            for future in futures.values():
                future.result(timeout=120)

    tick()
    assert run(defs(), instance, staged, checks=checks).success
    tick()
    assert published_runs() == ["SUCCESS"]
    good = pipeline.store.published_version("plain", None)
    tick()

    write_points(folder / "plain.geojson", BAD)
    assert not run(defs(), instance, staged, checks=checks).success
    tick()
    # Plain eager() requests the downstream of a failed blocking check; the gate holds it.
    assert published_runs() == ["SUCCESS", "FAILURE"]
    assert pipeline.store.published_version("plain", None) == good
    assert pipeline.read("plain").profile.count == 3

"""Event logs in SQLite stay open while a run writes to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.orchestration.executor import BeatingExecutor
from spatial_pipeline.orchestration.sqlite_events import event_files_open


def logs(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """The write-ahead logs of a run and of the index."""
    storage = instance.event_log_storage
    assert isinstance(storage, SqliteEventLogStorage)
    return [Path(storage.path_for_shard(s) + "-wal") for s in (run_id, "index")]


def test_the_log_stays_as_long_as_the_files_are_open() -> None:
    with instance_for_test() as instance:
        run = create_run_for_test(instance)
        instance.report_engine_event("first", run)
        files = logs(instance, run.run_id)
        assert not any(f.exists() for f in files)
        with event_files_open(instance, run.run_id):
            for text in ("second", "third"):
                instance.report_engine_event(text, run)
                assert all(f.exists() for f in files)
        assert not any(f.exists() for f in files)
        said = [e.message for e in instance.all_logs(run.run_id)]
        assert said == ["first", "second", "third"]


def test_files_that_do_not_exist_hinder_no_run() -> None:
    with instance_for_test() as instance, event_files_open(instance, "unknown"):
        run = create_run_for_test(instance)
        instance.report_engine_event("said", run)
        assert len(instance.all_logs(run.run_id)) == 1


def test_another_storage_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance, event_files_open(instance, "any"):
        pass


def test_a_run_keeps_its_files_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    seen: list[bool] = []

    class Looking(InProcessExecutor):
        def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
            for event in super().execute(plan_context, execution_plan):
                seen.extend(f.exists() for f in logs(plan_context.instance, plan_context.run_id))
                yield event

    def create(_: dg.InitExecutorContext) -> dg.Executor:
        return BeatingExecutor(Looking(RetryMode.DISABLED))

    executor = dg.ExecutorDefinition("looking", executor_creation_fn=create)

    @dg.op
    def nothing() -> None:
        pass

    @dg.job(executor_def=executor)
    def job() -> None:
        nothing()

    with instance_for_test() as instance:
        run = instance.create_run_for_job(job)
        assert execute_run(InMemoryJob(job), run, instance).success
    assert seen
    assert all(seen)

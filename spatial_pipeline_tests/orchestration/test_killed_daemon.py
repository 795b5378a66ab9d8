"""The daemon killed in the middle of a backfill: nothing lost, no partition twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRunStatus

from spatial_pipeline_tests.orchestration import schema_location
from spatial_pipeline_tests.orchestration.killed_daemon import MOMENTS, work
from spatial_pipeline_tests.orchestration.schema_daemon import (
    Daemon,
    build,
    daemon,
    instance_on,
    published,
    retype,
)

# Dagster says so when it goes on with what was interrupted.
pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated")
BUILT = schema_location.BUILT[:4]
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["spatial_pipeline_tests.orchestration.killed_daemon"])


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    with instance_on(request.param, request) as made:
        yield made


@pytest.mark.parametrize(
    ("moment", "instance"),
    list(zip(MOMENTS, ["sqlite", "postgres"] * 2, strict=True)),
    indirect=["instance"],
)
def test_killed(
    moment: str, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, monkeypatch, BUILT)
    before = published(tmp_path, BUILT)
    retype(tmp_path, BUILT, backfill={"order": "newest", "at_most": 3})
    names = ("SPATIAL_STORE", "SPATIAL_TEST_FOLDER", "DAGSTER_HOME")
    environment = {n: os.environ[n] for n in names if n in os.environ}
    process = processes.Process(target=work, args=(instance.get_ref(), environment, moment))
    process.start()
    process.join(240)
    assert process.exitcode == -signal.SIGKILL

    # What Dagster's run monitoring does with a run whose process died.
    dead = instance.get_runs(dg.RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    for run in dead:
        instance.report_run_failed(run, "its process died")
    assert len(dead) == (1 if moment.startswith("while") else 0)

    # Later than what the other process took for now.
    Daemon.now += timedelta(hours=1)
    with daemon(instance) as running:
        running.work()
        running.settle()
        once = Counter(dict.fromkeys(BUILT, 1))
        assert running.runs() == once + Counter(r.tags["dagster/partition"] for r in dead)
        assert running.tick() == "nothing is outdated"
    now = published(tmp_path, BUILT)
    assert not [k for k in BUILT if now[k] == before[k]]

"""Schedules through the scheduler, on both storages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.test_utils import create_run_for_test

from spatial_pipeline.orchestration.keys import DATASET_TAG
from spatial_pipeline_tests.orchestration.daemons import Deployment
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

NIGHTLY = """
source: {uri: points.geojson}
schedule: "0 3 * * *"
timezone: Europe/Berlin
rules: [{rule: not_empty}]
"""


def last_tick(deployment: Deployment) -> InstigatorTick:
    (state,) = deployment.instance.all_instigator_state()
    return deployment.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0]


def test_a_tick_materializes_once_at_the_hour_of_the_place(deployment: Deployment) -> None:
    write_points(deployment.folder / "points.geojson", GOOD)
    times: dict[str, Any] = {}
    with deployment.serving(points=NIGHTLY):
        deployment.now = datetime(2035, 6, 1, 0, 59, tzinfo=UTC)
        deployment.schedule(times)
        assert deployment.runs() == []
        deployment.now = datetime(2035, 6, 1, 1, 0, 10, tzinfo=UTC)  # three o'clock in Berlin
        for _ in range(3):
            deployment.schedule(times)
            deployment.pass_by(seconds=30)
        assert deployment.runs() == [(None, ("points_job",), "SUCCESS")]
        assert deployment.published("points") == 3
        (run,) = deployment.instance.get_runs()
        assert run.tags[DATASET_TAG] == "points"

        busy = create_run_for_test(
            deployment.instance, job_name="points_job", status=dg.DagsterRunStatus.STARTED
        )
        deployment.now = datetime(2035, 6, 2, 1, 0, 10, tzinfo=UTC)
        deployment.schedule(times)
        assert len(deployment.runs()) == 2
        tick = last_tick(deployment)
        assert tick.status is TickStatus.SKIPPED
        assert tick.skip_reason == f"run {busy.run_id} of points has not finished yet"

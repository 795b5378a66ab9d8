"""Schedules through the scheduler, on both storages."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.keys import DATASET_TAG, PARTITION_TAG
from spatial_pipeline.orchestration.schedules import requests
from spatial_pipeline_tests.orchestration.daemons import Deployment
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, write_points

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


DAILY = """
source: {uri: "{partition}.geojson"}
partitions: {daily: "2035-06-01"}
schedule: "0 3 * * *"
catch_up: 3
rules: [{rule: not_empty}]
"""


def night(deployment: Deployment, day: int, times: dict[str, Any]) -> list[str | None]:
    """Partitions that the tick of a night runs, in their order."""
    before = len(deployment.runs())
    deployment.now = datetime(2035, 6, day, 3, 0, 10, tzinfo=UTC)
    deployment.schedule(times)
    return [run[0] for run in deployment.runs()[before:]]


def test_missed_nights_are_made_up_for(deployment: Deployment) -> None:
    for day in range(1, 13):
        write_points(deployment.folder / f"2035-06-{day:02}.geojson", GOOD)
    times: dict[str, Any] = {}
    with deployment.serving(points=DAILY):
        deployment.now = datetime(2035, 6, 2, 2, 59, tzinfo=UTC)
        deployment.schedule(times)
        assert night(deployment, 2, times) == ["2035-06-01"]
        # No scheduler for five nights: the oldest three first, and the last one with them.
        assert night(deployment, 8, times) == [f"2035-06-{d:02}" for d in (2, 3, 4, 7)]
        assert night(deployment, 9, times) == [f"2035-06-{d:02}" for d in (5, 6, 8)]
        assert night(deployment, 10, times) == ["2035-06-09"]
        assert all(deployment.published("points", f"2035-06-{d:02}") for d in range(1, 10))


def test_late_and_mended_files_are_taken_and_held_ones_left_alone(deployment: Deployment) -> None:
    def supply(day: int, points: list[Any]) -> None:
        write_points(deployment.folder / f"2035-06-{day:02}.geojson", points)

    times: dict[str, Any] = {}
    supply(2, BAD)
    supply(3, GOOD)
    with deployment.serving(points=DAILY):
        deployment.now = datetime(2035, 6, 2, 2, 59, tzinfo=UTC)
        deployment.schedule(times)
        assert night(deployment, 2, times) == ["2035-06-01"]  # its file is not there
        assert night(deployment, 3, times) == ["2035-06-02"]  # held
        assert night(deployment, 4, times) == ["2035-06-03"]
        supply(1, GOOD)
        supply(2, GOOD)
        supply(4, GOOD)
        assert night(deployment, 5, times) == [f"2035-06-{d:02}" for d in (1, 2, 4)]
        assert all(deployment.published("points", f"2035-06-{d:02}") for d in range(1, 5))


def test_a_night_that_failed_is_tried_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(1, 5):
        write_points(deployment.folder / f"2035-06-{day:02}.geojson", GOOD)
    times: dict[str, Any] = {}
    with deployment.serving(points=DAILY):
        deployment.now = datetime(2035, 6, 2, 2, 59, tzinfo=UTC)
        deployment.schedule(times)
        blocked = deployment.folder / "blocked"
        blocked.write_text("no folder")
        with monkeypatch.context() as patch:
            patch.setenv("SPATIAL_STORE", str(blocked / "store"))
            assert night(deployment, 2, times) == ["2035-06-01"]
        assert [r[2] for r in deployment.runs()] == ["FAILURE"]
        assert night(deployment, 3, times) == ["2035-06-01", "2035-06-02"]
        assert deployment.published("points", "2035-06-01") == 3


def test_days_that_failed_keep_no_other_day_from_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    contract = VectorContract.model_validate(
        {
            "name": "points",
            "source": {"uri": str(tmp_path / "{partition}.geojson")},
            "partitions": {"daily": "2035-06-01"},
            "schedule": "0 3 * * *",
            "catch_up": 2,
            "rules": [{"rule": "not_empty"}],
        }
    )
    with instance_for_test() as instance:

        def days() -> list[str | None]:
            tick = datetime(2035, 6, 7, 3, tzinfo=UTC)
            runs = list(requests(contract, instance, tick))
            assert all(isinstance(r, dg.RunRequest) for r in runs)
            return [r.partition_key for r in runs if isinstance(r, dg.RunRequest)]

        def fails(day: str) -> None:
            create_run_for_test(
                instance,
                job_name="points_job",
                status=dg.DagsterRunStatus.FAILURE,
                tags={PARTITION_TAG: day},
            )

        assert days() == ["2035-06-01", "2035-06-02", "2035-06-06"]
        fails("2035-06-01")
        assert days() == ["2035-06-02", "2035-06-03", "2035-06-06"]
        for day in ("2035-06-02", "2035-06-03", "2035-06-04", "2035-06-05", "2035-06-01"):
            fails(day)
        # Failed once each but the first: its turn comes last.
        assert days() == ["2035-06-02", "2035-06-03", "2035-06-06"]

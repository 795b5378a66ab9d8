"""``schedule: {cron, after}``: a night's run waits for the runs of other datasets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status
from dagster._core.test_utils import create_run_for_test, freeze_time

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration import ordered_schedule
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.materialize import in_order

NIGHT = datetime(2035, 6, 2, 3, 0, tzinfo=UTC)
FIRST = VectorContract.model_validate(
    {"name": "first", "source": {"uri": "first.gpkg"}, "schedule": "0 2 * * *"}
)
SECOND = VectorContract.model_validate(
    {
        "name": "second",
        "source": {"uri": "second.gpkg"},
        "schedule": {"cron": "0 3 * * *", "after": ["first"]},
    }
)


class Night:
    """The sensor of the second dataset, evaluated at any time of a night."""

    def __init__(self, instance: dg.DagsterInstance, patch: pytest.MonkeyPatch) -> None:
        definitions = dg.Definitions.merge(dataset_definitions(FIRST), dataset_definitions(SECOND))
        self.instance = instance
        self.repository = definitions.get_repository_def()
        self.sensor = self.repository.get_sensor_def("second_schedule_sensor")
        self.patch = patch
        self.cursor: str | None = None

    def at(self, **after: float) -> str:
        """What a tick does: ``run``, or why not."""
        at = NIGHT + timedelta(**after)
        self.patch.setattr(ordered_schedule.time, "time", at.timestamp)
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=self.repository
        )
        found = self.sensor.evaluate_tick(context)
        self.cursor = found.cursor or self.cursor
        return "run" if found.run_requests else found.skip_message or ""

    def first_ran(self, status: Status, **after: float) -> dg.DagsterRun:
        with freeze_time(NIGHT + timedelta(**after)):
            return create_run_for_test(self.instance, job_name="first_job", status=status)


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Night(instance, monkeypatch)


def test_it_runs_when_the_other_has_ended_once_a_night(night: Night) -> None:
    assert night.at(hours=-5) == "begins with the next tick"
    night.first_ran(Status.SUCCESS, days=-1)
    assert "is done" in night.at(minutes=-1)
    assert night.at(minutes=1).endswith("waits for first")  # not yesterday's
    run = night.first_ran(Status.STARTED, minutes=2)
    assert night.at(minutes=5).endswith("waits for first")
    night.instance.report_run_failed(run)
    assert night.at(minutes=6) == "run"
    assert "is done" in night.at(minutes=7)


def test_it_does_not_wait_for_ever(night: Night) -> None:
    night.at(hours=-5)
    assert night.at(hours=5).endswith("waits for first")
    assert night.at(hours=6, minutes=1) == "run"


def test_there_is_no_schedule_beside_the_sensor(night: Night) -> None:
    assert [s.name for s in night.repository.schedule_defs] == ["first_schedule"]


def test_the_command_line_keeps_the_order() -> None:
    assert [c.name for c in in_order([SECOND, FIRST])] == ["first", "second"]

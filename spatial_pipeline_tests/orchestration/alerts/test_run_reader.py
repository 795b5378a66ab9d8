"""Runs that end otherwise than by a step: canceled, or dead."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test
from dagster._utils.error import serializable_error_info_from_exc_info

from spatial_pipeline.alert.problems import Key, Kind
from spatial_pipeline.orchestration.alerts.run_reader import Location, Reader
from spatial_pipeline.orchestration.alerts.state import Position, events_of, finished_runs
from spatial_pipeline.orchestration.assets import staged_key
from spatial_pipeline.orchestration.keys import DEAD_TAG, PARTITION_TAG
from spatial_pipeline_tests.orchestration.alerts_location import few
from spatial_pipeline_tests.orchestration.daemons import storage


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("SPATIAL_TEST_FOLDER", str(tmp_path))
    location = Location("here", few().get_repository_def())
    return Reader(location, lambda _version: None, lambda *_: None)


def ended(status: DagsterRunStatus) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="j", run_id="r1", status=status, tags={PARTITION_TAG: "p01"})


def event(kind: DagsterEventType, data: object = None) -> DagsterEvent:
    return DagsterEvent(kind.value, "j", event_specific_data=data, message="the worker died")  # type: ignore[arg-type]


def planned(asset: dg.AssetKey, *names: str) -> list[DagsterEvent]:
    kind = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    return [event(kind, AssetCheckEvaluationPlanned(asset_key=asset, check_name=n)) for n in names]


def test_a_canceled_run_says_what_it_did_not_come_to(reader: Reader) -> None:
    run = ended(DagsterRunStatus.CANCELED)
    seen = reader.observation(run, planned(staged_key("tiles"), "b", "a"), 5.0)
    assert seen is not None
    (fact,) = seen.facts
    assert fact.key == Key("tiles", "p01", Kind.UNCHECKED, "checks")
    assert fact.summary == "2 of 2 rules never came to their turn: a, b"
    assert fact.owners == ("team:gis",)


def test_a_dead_run_says_both_in_one(reader: Reader) -> None:
    events = [*planned(staged_key("tiles"), "a"), event(DagsterEventType.RUN_FAILURE)]
    seen = reader.observation(ended(DagsterRunStatus.FAILURE), events, 5.0)
    assert seen is not None
    (fact,) = seen.facts
    assert fact.key == Key("tiles", "p01", Kind.RUN, "run")
    assert fact.summary == "the worker died; 1 of 1 rules never came to their turn: a"


def test_a_run_of_others_is_theirs(reader: Reader) -> None:
    events = planned(dg.AssetKey("somebody_elses"), "a")
    assert reader.observation(ended(DagsterRunStatus.CANCELED), events, 5.0) is None


def test_a_run_that_dagster_retries_is_told_by_its_retry(reader: Reader) -> None:
    run = ended(DagsterRunStatus.FAILURE)
    retried = run.with_tags({**run.tags, "dagster/will_retry": "true"})
    events = [*planned(staged_key("tiles"), "a"), event(DagsterEventType.RUN_FAILURE)]
    seen = reader.observation(retried, events, 5.0)
    assert seen is not None
    assert seen.facts == ()
    # It closes nothing either: only a run that went well does.
    assert Key("tiles", "p01", Kind.RUN, "run") not in seen.judged
    last = run.with_tags({**run.tags, "dagster/will_retry": "false"})
    told = reader.observation(last, events, 5.0)
    assert told is not None
    assert len(told.facts) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_cause_of_a_failed_launch_is_told(
    kind: str, reader: Reader, request: pytest.FixtureRequest
) -> None:
    """Dagster writes the cause into an engine event of its own; the failure says nothing."""
    with storage(kind, request) as instance:
        run = create_run_for_test(instance, job_name="j", tags={PARTITION_TAG: "p01"})
        try:
            raise OSError("exec format error: /opt/run.sh")
        except OSError:
            error = serializable_error_info_from_exc_info(sys.exc_info())
        instance.report_engine_event(
            "Caught an error for run while removing it from the queue", run,
            EngineEventData.engine_error(error),
        )  # fmt: skip
        instance.report_run_failed(run)
        (record,) = finished_runs(instance, Position.of("", time.time()))
        failed = instance.get_run_by_id(record.run_id)
        assert failed is not None
        events = planned(staged_key("tiles"), "a") + events_of(instance, failed.run_id)
        seen = reader.observation(failed, events, 5.0)
    assert seen is not None
    assert "exec format error: /opt/run.sh" in seen.facts[0].summary


@pytest.mark.parametrize("dead", [True, False])
def test_a_run_that_died_is_told_although_dagster_retries_it(reader: Reader, dead: bool) -> None:
    tags = {PARTITION_TAG: "p01", "dagster/will_retry": "true"} | (
        {DEAD_TAG: "true"} if dead else {}
    )
    run = dg.DagsterRun(job_name="j", run_id="r1", status=DagsterRunStatus.FAILURE, tags=tags)
    events = [*planned(staged_key("tiles"), "a"), event(DagsterEventType.RUN_FAILURE)]
    seen = reader.observation(run, events, 5.0)
    assert seen is not None
    assert [f.key.kind for f in seen.facts] == ([Kind.RUN] if dead else [])

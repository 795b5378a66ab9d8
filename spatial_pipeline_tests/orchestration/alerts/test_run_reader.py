"""Runs that end otherwise than by a step: canceled, or dead."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
)

from spatial_pipeline.alert.problems import Key, Kind
from spatial_pipeline.orchestration.alerts.run_reader import PARTITION, Location, Reader
from spatial_pipeline.orchestration.assets import staged_key
from spatial_pipeline_tests.orchestration.alerts_location import few


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("SPATIAL_TEST_FOLDER", str(tmp_path))
    location = Location("here", few().get_repository_def())
    return Reader(location, lambda _version: None, lambda *_: None)


def ended(status: DagsterRunStatus) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="j", run_id="r1", status=status, tags={PARTITION: "p01"})


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

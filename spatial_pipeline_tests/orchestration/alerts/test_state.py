"""The event log as the alerts read it, and Dagster's non-public API that this rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.storage.tags import PARTITION_NAME_TAG
from dagster._core.test_utils import create_run_for_test, instance_for_test
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.orchestration.alerts import state
from spatial_pipeline.orchestration.alerts.state import LAG_S, Book, Position, finished_runs
from spatial_pipeline.orchestration.keys import PARTITION_TAG
from spatial_pipeline_tests.orchestration.alert_daemon import overrides

NOW = 1_800_000_000.0


class Record:
    """What the position needs of a record."""

    def __init__(self, storage_id: int, timestamp: float) -> None:
        self.storage_id = storage_id
        self.timestamp = timestamp


@given(
    delays=st.lists(st.one_of(st.just(0.0), st.floats(0.0, LAG_S - 2)), min_size=1, max_size=40),
    every=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_what_shows_up_late_is_read_and_nothing_twice(delays: list[float], every: int) -> None:
    # Event i is written at NOW + i and shows up with a delay, as commits do.
    shows_up = [(NOW + i + delay, Record(i + 1, NOW + i)) for i, delay in enumerate(delays)]
    position = Position.of("", NOW)
    read: list[int] = []
    now = NOW
    while now < NOW + len(delays) + 3 * LAG_S:
        now += every
        fresh = [
            r
            for at, r in shows_up
            if at <= now and r.storage_id > position.floor and r.storage_id not in position.seen
        ]
        position = Position.of(position.after(fresh, now).to_text(), now)  # type: ignore[arg-type]
        read += [r.storage_id for r in fresh]
    assert sorted(read) == [i + 1 for i in range(len(delays))]
    assert position.floor == len(delays)
    assert position.seen == {}


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    cluster = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with instance_for_test(overrides=overrides(request.param, cluster)) as made:
        yield made


def end(instance: dg.DagsterInstance, kind: DagsterEventType) -> str:
    run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
    event = DagsterEvent(event_type_value=kind.value, job_name=run.job_name, message="over")
    instance.report_dagster_event(event, run_id=run.run_id)
    return run.run_id


def test_finished_runs_in_order_and_in_pages(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "PAGE", 3)
    kinds: Any = [
        DagsterEventType.RUN_SUCCESS,
        DagsterEventType.RUN_FAILURE,
        DagsterEventType.RUN_SUCCESS,
        DagsterEventType.RUN_CANCELED,
    ] * 3
    position = Position.of("", NOW)
    position = Position(0.0, position.floor, position.seen)
    ended = [end(instance, kind) for kind in kinds]
    read: list[str] = []
    for _ in range(len(kinds)):
        records = finished_runs(instance, position, limit=2)
        if not records:
            break
        # All of them are younger than the lag, so the floor stays and pages have to be walked.
        position = Position.of(position.after(records, records[-1].timestamp).to_text(), NOW)
        read += [r.run_id for r in records]
    assert read == ended
    assert (
        end(instance, DagsterEventType.RUN_FAILURE) == finished_runs(instance, position)[0].run_id
    )
    much_later = position.after([], records_end(instance) + 2 * LAG_S)
    assert much_later.seen == {}
    assert len(finished_runs(instance, much_later)) == 1


def records_end(instance: dg.DagsterInstance) -> float:
    return max(r.timestamp for r in finished_runs(instance, Position(0.0)))


def test_nothing_older_than_a_day_is_read_at_first(instance: dg.DagsterInstance) -> None:
    end(instance, DagsterEventType.RUN_FAILURE)
    at = records_end(instance)
    assert len(finished_runs(instance, Position.of("", at + 60))) == 1
    assert finished_runs(instance, Position.of("", at + 2 * 86_400)) == []


def test_the_book_keeps_what_was_written_last(instance: dg.DagsterInstance) -> None:
    book = Book(instance, "a")
    assert book.load() is None
    book.save("1")
    book.save("ü" * 1_000_000)
    assert book.load() == "ü" * 1_000_000
    assert Book(instance, "b").load() is None


def test_names_of_dagster_that_are_written_out() -> None:
    assert PARTITION_TAG == PARTITION_NAME_TAG
    assert dg.DagsterInstance.daemon_cursor_storage is not None

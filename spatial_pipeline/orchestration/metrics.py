"""Metrics that Dagster knows: the queue, runs, and open incidents."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.alert.dispatcher import AlertDispatcher
from spatial_pipeline.orchestration.alerts.state import Book, locations_of
from spatial_pipeline.orchestration.keys import DATASET_TAG, PARTITION_TAG
from spatial_pipeline.report.openmetrics import Gauge

LIVELY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
RECENT = 500
"""Finished runs that are looked through for the last one of each dataset and partition."""


def dagster_metrics() -> list[Gauge]:
    """Queue, durations and incidents of the instance of ``DAGSTER_HOME``.

    Raises:
        dagster.DagsterError: there is no instance.

    """
    with dg.DagsterInstance.get() as instance:
        return [*_runs(instance), *_incidents(instance)]


def _runs(instance: dg.DagsterInstance) -> list[Gauge]:
    runs = Gauge("spatial_runs", "Runs that are queued or under way, by status.")
    for status in LIVELY:
        count = instance.get_runs_count(dg.RunsFilter(statuses=[status]))
        runs.add(count, status=status.value.lower())
    duration = Gauge("spatial_run_duration_seconds", "Time of the last finished run.", "seconds")
    failed = Gauge("spatial_run_failed", "1 when the last finished run failed.")
    waited = Gauge("spatial_queue_seconds", "Time that the last finished run waited.", "seconds")
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    seen: set[tuple[str, str | None]] = set()
    for record in instance.get_run_records(dg.RunsFilter(statuses=ended), limit=RECENT):
        run = record.dagster_run
        dataset = run.tags.get(DATASET_TAG)
        partition = run.tags.get(PARTITION_TAG)
        if dataset is None or (dataset, partition) in seen:
            continue
        seen.add((dataset, partition))
        labels = {"dataset": dataset, "partition": partition}
        failed.add(not run.is_success, **labels)
        if record.start_time is not None:
            waited.add(record.start_time - record.create_timestamp.timestamp(), **labels)
            if record.end_time is not None:
                duration.add(record.end_time - record.start_time, **labels)
    return [runs, duration, failed, waited]


def _incidents(instance: dg.DagsterInstance) -> list[Gauge]:
    opened = Gauge("spatial_incidents", "Partitions with an open incident.")
    waiting = Gauge("spatial_alerts_waiting", "Messages that a channel has not taken yet.")
    for location in locations_of(instance):
        state = AlertDispatcher(Book(instance, location), ()).state
        people = {a.place for a in state.acknowledged}
        places = {i.key.place for i in state.incidents}
        opened.add(len(places - people), location=location, acknowledged="no")
        opened.add(len(places & people), location=location, acknowledged="yes")
        for channel, queue in state.outbox.queues.items():
            waiting.add(len(queue.entries), location=location, channel=channel)
    return [opened, waiting]

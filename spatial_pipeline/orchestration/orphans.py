"""The sensor that ends runs whose processes are gone.

Dagster's run monitoring asks the run launcher whether a worker lives. The default launcher cannot
say, so a run whose code server was restarted stays *started* for ever, keeps its slots, and its
schedule skips the dataset. Runs of datasets show that they live (``runtime/heartbeat.py``); one
that does not is ended here. Dagster's ``run_retries`` then launches it again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus as Status

from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.orchestration.keys import DATASET_TAG, DEAD_TAG
from spatial_pipeline.runtime import heartbeat
from spatial_pipeline.settings import Settings

logger = logging.getLogger("spatial_pipeline")
NAME = "dead_runs"
INTERVAL_S = 30
LIVING = (Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING)
START_S = 300.0
"""Least seconds until the first sign of a run: a machine may be started for it."""
FOREIGN_S = 3600.0
"""Least seconds between two signs of a run under an executor that is not ours."""
ASSETS = ("staged", "published")


@dataclass(frozen=True)
class DeadRun:
    """A run without a sign of life.

    Attributes:
        run: the run.
        since: POSIX seconds of its last sign of life.

    """

    run: dg.DagsterRun
    since: float


def orphans_sensor() -> dg.SensorDefinition:
    """The sensor; one per code location."""

    @dg.sensor(
        name=NAME,
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(),
        description="Ends runs of datasets whose processes are gone; see docs/operations.md.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        settings = Settings()
        origin = context.code_location_origin
        location = None if origin is None else origin.location_name
        ended = [
            end(context.instance, dead)
            for dead in dead_runs(
                context.instance, settings.store, location, settings.run_patience_s
            )
        ]
        _sweep(context.instance, settings.store)
        return dg.SkipReason("; ".join(ended) or "every run lives")

    return sensor


def dead_runs(
    instance: dg.DagsterInstance, store: Path, location: str | None, patience_s: float
) -> Iterator[DeadRun]:
    """Runs of datasets of a code location without a sign of life.

    A sign is a touched file of the run or an event in its log. A run that never touched a file is
    judged when all of its assets are ours.

    Args:
        instance: the instance.
        store: folder of the store.
        location: name of the code location; all unless given.
        patience_s: longest time without a sign.

    """
    ages = heartbeat.ages(store)
    now = time.time()
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(LIVING))):
        run = record.dagster_run
        origin = run.remote_job_origin
        if location is not None and origin is not None and origin.location_name != location:
            continue
        if ages.keys().isdisjoint(_names(run)) and not _ours(run):
            continue
        patience = max(patience_s, _least(run, ages))
        shown = min((ages[n] for n in _names(run) if n in ages), default=now)
        if shown < patience:
            continue
        last = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        seen = max([record.create_timestamp.timestamp(), *(r.timestamp for r in last)])
        if now - seen >= patience:
            yield DeadRun(run, max(seen, now - shown))


def end(instance: dg.DagsterInstance, dead: DeadRun) -> str:
    """Ends a dead run, with its slots; says what was done."""
    run = instance.get_run_by_id(dead.run.run_id)
    if run is None or run.status not in LIVING:
        return f"run {dead.run.run_id} ended by itself"
    since = f"{datetime.fromtimestamp(dead.since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    again = "Dagster retries it" if instance.run_retries_enabled else "launch it again"
    said = (
        f"no sign of life since {since}: its process was killed or its code server restarted;"
        f" ended; {again}"
    )
    # That a process died is told, although Dagster retries the run.
    instance.add_run_tags(run.run_id, {DEAD_TAG: "true"})
    if run.status is Status.CANCELING:
        instance.report_run_canceled(run, said)
    else:
        instance.report_run_failed(run, said)
    with contextlib.suppress(NotImplementedError):
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    logger.warning("run %s: %s", run.run_id, said)
    return f"run {run.run_id}: {said}"


def _names(run: dg.DagsterRun) -> tuple[str, str]:
    """Names under which the executor and the steps of a run show that it lives."""
    return run.run_id, run.run_id + heartbeat.STEP


def _least(run: dg.DagsterRun, ages: Mapping[str, float]) -> float:
    """Seconds that a run may be silent for a good reason."""
    executor, step = _names(run)
    if executor in ages:
        return 0.0
    # Under another executor, a step that waits for a slot of a pool shows nothing.
    return FOREIGN_S if step in ages else START_S


def _ours(run: dg.DagsterRun) -> bool:
    """True for a run of nothing but a dataset."""
    if DATASET_TAG in run.tags:
        return True
    keys = run.asset_selection
    return bool(keys) and all(len(k.path) == 2 and k.path[1] in ASSETS for k in keys or ())


def _sweep(instance: dg.DagsterInstance, store: Path) -> None:
    """Removes the files of runs that have ended, some time after their last sign."""
    old = [i for i, age in heartbeat.ages(store).items() if age > INTERVAL_S * 2]
    if not old:
        return
    ids = [name.removesuffix(heartbeat.STEP) for name in old]
    living = instance.get_runs(dg.RunsFilter(run_ids=ids, statuses=list(LIVING)))
    heartbeat.forget(store, set(old) - {name for run in living for name in _names(run)})

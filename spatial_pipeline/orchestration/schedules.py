"""The nightly run of a dataset, and the job that schedules and sensors launch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as Job,
)

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.orchestration.autostart import schedule_status
from spatial_pipeline.orchestration.keys import (
    DATASET_TAG,
    PARTITION_TAG,
    published_key,
    staged_key,
)
from spatial_pipeline.orchestration.partitions import partitions_of

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
MOST_FAILED = 500
"""Failed runs that are read to see which days were tried before."""


def job_of(contract: Contract) -> Job:
    """The job that stages, checks and publishes a dataset."""
    return dg.define_asset_job(
        f"{contract.name}_job",
        selection=dg.AssetSelection.assets(staged_key(contract.name), published_key(contract.name)),
        description=f"Stages, checks and publishes {contract.name}.",
        tags={DATASET_TAG: contract.name},
    )


def schedule_of(contract: Contract, job: Job) -> dg.ScheduleDefinition | None:
    """A schedule that materializes staged, checks and published.

    None without ``schedule``, and with one that waits for other datasets: that is a sensor, since
    a schedule cannot wait.

    With daily partitions the last complete day is run and the days that were missed, with other
    partitions all of them, each in its own run. Partitions that still run from an earlier tick are
    not launched again.
    """
    if contract.cron is None or contract.after:
        return None

    def evaluate(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from requests(contract, context.instance, context.scheduled_execution_time)

    return dg.ScheduleDefinition(
        name=f"{contract.name}_schedule",
        job=job,
        cron_schedule=contract.cron,
        execution_timezone=contract.timezone,
        execution_fn=evaluate,
        default_status=schedule_status(),
        description=f"Runs {contract.name} at {contract.cron} ({contract.timezone}).",
    )


def requests(
    contract: Contract, instance: dg.DagsterInstance, tick: datetime
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The runs of one tick, or the reason why there are none.

    Args:
        contract: the contract.
        instance: the instance.
        tick: time of the tick.

    """
    partitions = partitions_of(contract)
    busy = unfinished(instance, f"{contract.name}_job")
    at = tick.isoformat()
    if partitions is None:
        if None in busy:
            yield dg.SkipReason(f"run {busy[None]} of {contract.name} has not finished yet")
        else:
            yield dg.RunRequest(run_key=at)
        return
    keys = list(partitions.get_partition_keys(current_time=tick, dynamic_partitions_store=instance))
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        keys = _days(instance, contract, keys)
    free = [k for k in keys if k not in busy]
    if not keys:
        yield dg.SkipReason(f"{contract.name} has no partitions yet")
    elif not free:
        yield dg.SkipReason(f"no run of {contract.name} has finished yet: {len(keys)} run")
    for key in free:
        yield dg.RunRequest(partition_key=key, run_key=f"{at}:{key}")


def _days(instance: dg.DagsterInstance, contract: Contract, days: Sequence[str]) -> list[str]:
    """The last complete day, and missed days before it: oldest first.

    Days whose runs failed come after those that were never tried, so that they keep no other day
    from its turn.
    """
    if not contract.catch_up:
        return list(days[-1:])
    # A code server that only shows the schedule needs no geometry library.
    from spatial_pipeline.pipeline.missing import missing
    from spatial_pipeline.pipeline.pipeline import Pipeline

    found = missing(Pipeline.of([contract]), contract, days[:-1])
    failed = instance.get_runs(
        dg.RunsFilter(job_name=f"{contract.name}_job", statuses=[dg.DagsterRunStatus.FAILURE]),
        limit=MOST_FAILED,
    )
    tried = Counter(run.tags.get(PARTITION_TAG) for run in failed)
    found.sort(key=lambda day: (tried[day], day))
    return [*sorted(found[: contract.catch_up]), *days[-1:]]


def unfinished(instance: dg.DagsterInstance, job: str) -> dict[str | None, str]:
    """Partition (None without partitions) → id of a run that has not finished."""
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=UNFINISHED))
    return {r.tags.get(PARTITION_TAG): r.run_id for r in runs}


def operations_schedule(key: dg.AssetKey, cron: str, description: str) -> dg.ScheduleDefinition:
    """The schedule of an asset of the operations, in UTC.

    It is switched on unless ``SPATIAL_AUTOSTART`` is false.

    Args:
        key: the asset; schedule and job are named after its last part.
        cron: cron expression.
        description: description of schedule and job.

    """
    name = key.path[-1]
    return dg.ScheduleDefinition(
        name=f"{name}_schedule",
        job=dg.define_asset_job(
            f"{name}_job", selection=dg.AssetSelection.assets(key), description=description
        ),
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=schedule_status(),
        description=description,
    )


__all__ = ["Job", "job_of", "requests", "schedule_of", "unfinished"]

"""Nightly runs that wait for those of other datasets: ``schedule: {cron: …, after: […]}``.

A schedule of Dagster decides at its tick and cannot wait, so this is a sensor that keeps the cron
expression: it requests the runs of a tick as soon as the other datasets have ended theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.orchestration.cron_ticks import last_tick
from spatial_pipeline.orchestration.keys import CRON, ZONE, published_key
from spatial_pipeline.orchestration.schedules import Job, requests, unfinished

INTERVAL_S = 30
LONGEST_WAIT_S = 6 * 3600.0
"""Seconds after a tick until it is run although others have not ended."""


def ordered_schedule(contract: Contract, job: Job) -> dg.SensorDefinition | None:
    """The sensor of a dataset whose schedule names others; else None."""
    cron = contract.cron
    if cron is None or not contract.after:
        return None

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.fromtimestamp(time.time(), UTC)
        tick = last_tick(cron, now, contract.timezone).astimezone(UTC)
        done = tick.isoformat()
        if context.cursor is None:
            # What was before the sensor is not made up for.
            return dg.SensorResult(skip_reason="begins with the next tick", cursor=done)
        if context.cursor >= done:
            return dg.SensorResult(skip_reason=f"the tick of {done} is done")
        late = (now - tick).total_seconds() > LONGEST_WAIT_S
        waits = [] if late else _waits(context, contract.after, tick)
        if waits:
            return dg.SensorResult(skip_reason=f"the tick of {done} waits for {', '.join(waits)}")
        found = list(requests(contract, context.instance, tick))
        runs = [r for r in found if isinstance(r, dg.RunRequest)]
        said = [r.skip_message for r in found if isinstance(r, dg.SkipReason)]
        return dg.SensorResult(
            run_requests=runs, skip_reason="; ".join(s or "" for s in said) or None, cursor=done
        )

    return dg.SensorDefinition(
        name=f"{contract.name}_schedule_sensor",
        evaluation_fn=evaluate,
        job=job,
        minimum_interval_seconds=INTERVAL_S,
        default_status=sensor_status(),
        description=f"Runs {contract.name} at {cron} ({contract.timezone}), after"
        f" {', '.join(contract.after)}.",
    )


def _waits(context: dg.SensorEvaluationContext, others: Iterable[str], tick: datetime) -> list[str]:
    """Datasets whose runs of this night have not ended."""
    found: list[str] = []
    for other in others:
        job = f"{other}_job"
        if unfinished(context.instance, job):
            found.append(other)
            continue
        theirs = _tick_of(context.repository_def, other, tick)
        if theirs is None:
            continue
        runs = context.instance.get_runs(
            dg.RunsFilter(job_name=job, created_after=theirs - timedelta(seconds=1)), limit=1
        )
        if not runs:
            found.append(other)
    return found


def _tick_of(
    repository: dg.RepositoryDefinition | None, dataset: str, tick: datetime
) -> datetime | None:
    """Last tick of another dataset up to a tick; None for one without a schedule."""
    key = published_key(dataset)
    if repository is None or key not in repository.assets_defs_by_key:
        return None
    metadata = repository.assets_defs_by_key[key].specs_by_key[key].metadata
    cron, zone = metadata.get(CRON), metadata.get(ZONE)
    if cron is None:
        return None
    texts = [str(getattr(v, "value", v)) for v in (cron, zone)]
    return last_tick(texts[0], tick, texts[1]).astimezone(UTC)

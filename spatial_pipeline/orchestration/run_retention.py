"""Deletes old runs with their events and logs: what Dagster itself keeps for ever.

Dagster knows from the events of a run which partitions were materialized. A run goes only when a
later successful run did the same: same job, partition, assets and checks.
"""

from __future__ import annotations

import contextlib

import dagster as dg

from spatial_pipeline.orchestration.keys import PARTITION_TAG

FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
PAGE = 500
MOST = 2000
"""Runs that are deleted at a time; the next time goes on."""
Work = tuple[str, str | None, frozenset[dg.AssetKey], frozenset[dg.AssetCheckKey]]


def delete_old_runs(instance: dg.DagsterInstance, before: float) -> int:
    """Deletes finished runs that were superseded; their number.

    Args:
        instance: the instance.
        before: POSIX seconds; runs that ended later stay.

    """
    redone: set[Work] = set()
    old: list[str] = []
    cursor = None
    while True:
        page = instance.get_run_records(
            dg.RunsFilter(statuses=list(FINISHED)), limit=PAGE, cursor=cursor
        )
        for record in page:  # the latest first
            run = record.dagster_run
            work = _work(run)
            ended = record.end_time or record.update_timestamp.timestamp()
            if ended < before and work in redone:
                old.append(run.run_id)
            if run.is_success:
                redone.add(work)
        if len(page) < PAGE:
            break
        cursor = page[-1].dagster_run.run_id
    for run_id in old[-MOST:]:
        with contextlib.suppress(OSError, NotImplementedError):
            instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return len(old[-MOST:])


def _work(run: dg.DagsterRun) -> Work:
    return (
        run.job_name,
        run.tags.get(PARTITION_TAG),
        frozenset(run.asset_selection or ()),
        frozenset(run.asset_check_selection or ()),
    )

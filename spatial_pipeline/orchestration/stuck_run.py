"""Ends a run that is stuck: its slots are free, and it can be launched anew."""

from __future__ import annotations

import contextlib

import dagster as dg

from spatial_pipeline.errors import SpatialPipelineError


def end_run(run_id: str, by: str) -> str:
    """Terminates a run, marks it as failed and frees its slots; its job's name.

    Dagster launches it again, if its retries say so.

    Args:
        run_id: id of the run, or how it begins.
        by: the person, for the event log.

    Raises:
        SpatialPipelineError: there is no such run, it has ended, or there is no instance.

    """
    try:
        instance = dg.DagsterInstance.get()
    except dg.DagsterError as exc:
        msg = f"there is no Dagster instance: set DAGSTER_HOME to that of the daemon ({exc})"
        raise SpatialPipelineError(msg) from exc
    with instance:
        lively = instance.get_runs(
            dg.RunsFilter(
                statuses=[s for s in dg.DagsterRunStatus if s not in _ENDED],
            )
        )
        found = [r for r in lively if r.run_id.startswith(run_id)]
        if len(found) != 1:
            known = ", ".join(f"{r.run_id} ({r.job_name})" for r in lively) or "none"
            msg = f"{'no' if not found else 'more than one'} run {run_id!r}; unfinished: {known}"
            raise SpatialPipelineError(msg)
        (run,) = found
        # A worker that is dead, or of a launcher that is not here, cannot be told to stop.
        with contextlib.suppress(Exception):
            instance.run_launcher.terminate(run.run_id)
        current = instance.get_run_by_id(run.run_id)
        if current is not None and not current.is_finished:
            instance.report_run_failed(current, message=f"ended by {by}: it was stuck")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        return run.job_name


_ENDED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)

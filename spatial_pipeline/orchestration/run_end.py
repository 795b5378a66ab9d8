"""The end of a run of one dataset, read from the events of that run only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEvent, DagsterEventType

from spatial_pipeline import errors
from spatial_pipeline.orchestration.keys import FAILED_RULES, published_key, staged_key

OURS = f"{errors.__name__}."
"""Module prefix of the names of our errors in an event."""
CHECKS_FAILED = "DagsterAssetCheckFailedError"
"""Dagster's error of a check step that did its work: the results carry the problems."""


@dataclass(frozen=True)
class RunEnd:
    """The end of a run of one dataset and partition.

    Attributes:
        succeeded: every step of the run did its work and no blocking check failed.
        version: id of the version that the run staged, None when staging failed.
        checked: True when this run checked that version.
        published: True when the run published that version.
        errors: reasons why the run could not do its work, from its exceptions.
        held: reasons why the gate refused the version, from the publishing step.

    """

    succeeded: bool
    version: str | None = None
    checked: bool = False
    published: bool = False
    errors: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def run_end(result: dg.ExecuteInProcessResult, dataset: str) -> RunEnd:
    """The end of a run of a dataset.

    Args:
        result: the run.
        dataset: name of the dataset.

    """
    events = result.all_events
    evaluations = result.get_asset_check_evaluations()
    judged = [e for e in evaluations if "version" in e.metadata]
    unjudged = [
        e.description or "a rule gave no result"
        for e in evaluations
        if not e.passed and "version" not in e.metadata
    ]
    errors: list[str] = []
    held: list[str] = []
    for event in events:
        if event.event_type is DagsterEventType.STEP_FAILURE:
            reasons = _refusal(event)
            held += reasons
            errors += [] if reasons else _said(event)
    if not result.success and not (errors or held or evaluations):
        errors += [
            e.message or "the run failed"
            for e in events
            if e.event_type is DagsterEventType.RUN_FAILURE
        ]
    staged = _made(events, staged_key(dataset))
    return RunEnd(
        succeeded=result.success,
        version=staged,
        checked=bool(judged),
        published=result.success and _made(events, published_key(dataset)) == staged is not None,
        errors=tuple(dict.fromkeys((*errors, *unjudged))),
        held=tuple(held),
    )


def _made(events: Sequence[DagsterEvent], key: dg.AssetKey) -> str | None:
    """Id of the version that was materialized as an asset, None when none was."""
    for event in events:
        if event.is_step_materialization and event.asset_key == key:
            version = event.step_materialization_data.materialization.metadata.get("version")
            return None if version is None else str(version.value)
    return None


def _refusal(event: DagsterEvent) -> list[str]:
    """The gate's reasons; empty when something else went wrong."""
    told = event.step_failure_data.user_failure_data
    reasons = None if told is None else told.metadata.get("reasons")
    value = None if reasons is None else reasons.value
    return [str(r) for r in value] if isinstance(value, list) else []


def rules_failed(event: DagsterEvent) -> bool:
    """True for the failure of a check step that did its work."""
    told = event.step_failure_data.user_failure_data
    return told is not None and FAILED_RULES in told.metadata


def _said(event: DagsterEvent) -> list[str]:
    """Messages of a step's exception: ours as written, others with their class name."""
    error = event.step_failure_data.error
    if error is None:
        return [event.message or "a step failed"]
    if error.cls_name == CHECKS_FAILED or rules_failed(event):
        return []
    cause = error
    while not cause.message.startswith(OURS) and cause.cause is not None:
        cause = cause.cause
    text = " ".join(cause.message.split())
    if text.startswith(OURS):
        return [text.partition(": ")[2] or text]
    return [text]


__all__ = ["CHECKS_FAILED", "RunEnd", "rules_failed", "run_end"]

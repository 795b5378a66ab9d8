"""Outcome → result: does it pass, what does it say, which features are meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any, cast

import numpy as np
import shapely

from spatial_pipeline.check.accepted import Acceptances, Remaining, without_accepted
from spatial_pipeline.check.task import Task
from spatial_pipeline.check.workers import Workers
from spatial_pipeline.pieces import Data, VectorData
from spatial_pipeline.results import SAMPLE_SIZE, Findings, Outcome, Result, Status, Violation
from spatial_pipeline.versions import VectorProfile

Keys = tuple[tuple[Any, ...], ...]


async def conclude(
    task: Task,
    data: Data,
    key: tuple[str, ...],
    workers: Workers,
    accepted: Acceptances = lambda _: None,
) -> tuple[Result, Findings]:
    """The result of a task and its findings in canonical order, keys filled in."""
    rule = task.rule
    findings = Findings.none()
    result = Result(
        name=rule.check_name,
        rule=rule.rule,
        rule_hash=rule.hash,
        family=rule.family,
        severity=rule.severity,
        status=task.status or Status.ERROR,
        elapsed_s=round(task.elapsed, 6),
        message=task.error,
        against={f"{i}:{o.profile.uri}": o.version_id for i, o in enumerate(task.others)},
    )
    if task.alive and task.outcome is not None:
        call = partial(_finish, task, task.outcome, data, key, accepted)
        finished = await task.call(workers, call)
        if finished is not None:
            remaining, sample = finished
            judged = _judged(result, remaining.outcome, task)
            judged = replace(judged, sample=sample, excepted=remaining.counts)
            findings = remaining.outcome.findings
            return replace(judged, elapsed_s=round(task.elapsed, 6)), findings
        result = replace(result, status=task.status or Status.ERROR, message=task.error)
    return result, findings


def _judged(result: Result, outcome: Outcome, task: Task) -> Result:
    rule = task.rule
    violations = outcome.violations if outcome.violations is not None else len(outcome.findings)
    if outcome.passed is not None:
        passed = outcome.passed
        value, threshold = outcome.value, outcome.threshold
    elif rule.max_fraction is not None:
        value = violations / outcome.checked if outcome.checked else float(violations > 0)
        threshold = rule.max_fraction
        passed = value <= threshold
    else:
        value, threshold = outcome.value, outcome.threshold
        passed = violations <= rule.max_violations
    default = (
        f"{violations} of {outcome.checked} violate" if violations else f"{outcome.checked} checked"
    )
    notes = (*outcome.notes, *task.notes())
    return replace(
        result,
        status=Status.PASSED if passed else Status.FAILED,
        checked=outcome.checked,
        violations=violations,
        value=_number(violations if value is None else value),
        threshold=_number(rule.max_violations if threshold is None else threshold),
        message="; ".join((outcome.message or default, *notes)),
    )


def _finish(
    task: Task, outcome: Outcome, data: Data, key: tuple[str, ...], accepted: Acceptances
) -> tuple[Remaining, tuple[Violation, ...]]:
    findings = outcome.findings.sorted()
    keys = _keys(findings, data, key)
    array = np.empty(len(findings), dtype=object)
    for i, value in enumerate(keys):
        array[i] = value
    findings = replace(findings, keys=array)
    acceptance = accepted(task.rule)
    if acceptance is None:
        remaining = Remaining(replace(outcome, findings=findings))
    else:
        remaining = without_accepted(outcome, findings, acceptance)
    findings = remaining.outcome.findings
    head = findings.take(slice(0, SAMPLE_SIZE))
    places = locations(head)
    sample = tuple(
        Violation(
            keys=cast("Keys", head.keys[i]) if head.keys is not None else (),
            reason=str(head.reasons[i]),
            location=places[i],
            measure=_number(float(head.measure[i])),
            unit=head.unit,
        )
        for i in range(len(head))
    )
    return remaining, sample


def _keys(findings: Findings, data: Data, key: tuple[str, ...]) -> list[Keys]:
    """Key tuples of the features of every finding; source rows without a key."""
    given = findings.keys
    rows = findings.rows
    involved = np.unique(rows[rows >= 0])
    profile = data.profile
    names = {c.name for c in profile.columns} if isinstance(profile, VectorProfile) else set()
    known: dict[int, tuple[Any, ...]]
    if key and len(involved) and set(key) <= names:
        vector = cast("VectorData", data)
        batch = vector.take(vector.rows_to_positions(involved), key, geometry=False)
        columns = [batch.table.column(k).to_pylist() for k in key]
        values = zip(*columns, strict=True)
        known = {
            int(row): tuple(json_value(v) for v in value)
            for row, value in zip(batch.rows, values, strict=True)
        }
    else:
        known = {int(row): (int(row),) for row in involved}
    return [
        tuple(tuple(json_value(v) for v in k) for k in given[i])
        if given is not None and given[i] is not None
        else tuple(known[int(r)] for r in rows[i] if r >= 0)
        for i in range(len(findings))
    ]


def locations(findings: Findings) -> Sequence[tuple[float, float] | None]:
    """A point (x, y) of every defect, in the CRS of the dataset; None when it has no place."""
    places: list[tuple[float, float] | None] = []
    for geometry in findings.geometry:
        with np.errstate(invalid="ignore"):
            point = None if geometry is None else shapely.point_on_surface(geometry)
        if point is None or point.is_empty or not math.isfinite(point.x + point.y):
            places.append(None)
        else:
            places.append((point.x, point.y))
    return places


def json_value(value: Any) -> Any:
    """A key value as JSON can hold it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

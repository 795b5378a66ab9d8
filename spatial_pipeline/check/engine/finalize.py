"""Converts an outcome to a result: status, message, keys of the features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import numpy as np
import shapely

from spatial_pipeline.check.engine.rule_run import RuleRun
from spatial_pipeline.check.engine.suppress import Acceptances, Remaining, without_accepted
from spatial_pipeline.check.feature_keys import Keys, keyed
from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.model.one_layer import each
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader, VectorReader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.model.violation_runs import (
    AnyViolations,
    ViolationSink,
    found_by,
    in_memory,
    with_found,
)
from spatial_pipeline.model.violations import SAMPLE_SIZE, RuleOutcome, Violations
from spatial_pipeline.runtime.workers import Workers

TYPES: dict[str, frozenset[int]] = {
    "point": frozenset({0, 4, 7}),
    "line": frozenset({1, 2, 5, 7}),
    "polygon": frozenset({3, 6, 7}),
    "geometry": frozenset(range(8)),
}
"""Numbers in GEOS of the types that hold a kind of geometry; collections may hold any."""


async def conclude(
    task: RuleRun,
    data: Reader,
    key: tuple[str, ...],
    workers: Workers,
    accepted: Acceptances = lambda _: None,
    sink: ViolationSink | None = None,
) -> tuple[Result, AnyViolations]:
    """The result of a rule run, and its violations in canonical order, keys filled in."""
    rule = task.rule
    violations: AnyViolations = Violations.none()
    result = Result(
        name=rule.check_name,
        rule=rule.rule,
        rule_hash=rule.hash,
        family=rule.family,
        severity=rule.severity,
        status=task.status or Status.ERROR,
        elapsed_s=round(task.elapsed, 6),
        message=task.error,
        against={f"{i}:{o.profile.uri}": o.version_id for i, o in enumerate(each(task.others))},
    )
    if task.alive and task.outcome is not None:
        call = partial(_finish, task, task.outcome, data, key, accepted, sink)
        finished = await task.call(workers, call)
        if finished is not None:
            remaining, sample, unjudged = finished
            judged = _judged(result, remaining.outcome, task)
            if unjudged and judged.passed:
                blocks = rule.severity is Severity.ERROR
                status = Status.ERROR if blocks else judged.status
                judged = replace(judged, status=status, message=unjudged)
            judged = replace(judged, sample=sample, excepted=remaining.counts)
            violations = found_by(remaining.outcome)
            return replace(judged, elapsed_s=round(task.elapsed, 6)), violations
        result = replace(result, status=task.status or Status.ERROR, message=task.error)
    return result, violations


def _judged(result: Result, outcome: RuleOutcome, task: RuleRun) -> Result:
    rule = task.rule
    violations = outcome.count if outcome.count is not None else len(outcome.violations)
    severity = rule.severity
    if outcome.passed is not None:
        passed = outcome.passed
        value, threshold = outcome.value, outcome.threshold
    elif rule.warn_at is not None and rule.error_at is not None:
        value = _graded_value(rule.error_at, violations, outcome.checked)
        passed = value < rule.warn_at
        severity = Severity.WARN if not passed and value < rule.error_at else Severity.ERROR
        threshold = rule.warn_at if severity is Severity.WARN or passed else rule.error_at
    elif rule.max_fraction is not None:
        value = _graded_value(rule.max_fraction, violations, outcome.checked)
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
        severity=severity,
        status=Status.PASSED if passed else Status.FAILED,
        checked=outcome.checked,
        violations=violations,
        value=_number(violations if value is None else value),
        threshold=_number(rule.max_violations if threshold is None else threshold),
        message="; ".join((outcome.message or default, *notes)),
    )


def _graded_value(grade: float, violations: int, checked: int) -> float:
    """Value to compare with a grade: the number of violations, or their fraction of the checked."""
    if isinstance(grade, int):
        return violations
    return violations / checked if checked else float(violations > 0)


def _finish(
    task: RuleRun,
    outcome: RuleOutcome,
    data: Reader,
    key: tuple[str, ...],
    accepted: Acceptances,
    sink: ViolationSink | None,
) -> tuple[Remaining, tuple[Violation, ...], str]:
    violations = found_by(outcome)
    if isinstance(violations, Violations):
        violations = keyed(violations.sorted(), data, key)
    outcome = with_found(outcome, violations)
    acceptance = accepted(task.rule)
    remaining = Remaining(outcome)
    if acceptance is not None:
        remaining = without_accepted(outcome, acceptance, sink)
    head = in_memory(found_by(remaining.outcome), SAMPLE_SIZE).take(slice(0, SAMPLE_SIZE))
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
    return remaining, sample, unjudged(task.rule, outcome, data)


def unjudged(rule: Rule, outcome: RuleOutcome, data: Reader) -> str:
    """The reason why a rule found no geometry of its kind; empty when it did, or when valid.

    That is valid for a layer that is empty or holds null geometries only, where the condition of
    the rule selects no geometry, and for a rule with ``if_present``. Other messages name geometries
    of the kind that were left out.
    """
    profile = data.profile
    if not rule.judges or rule.if_present or outcome.passed is not None or outcome.checked:
        return ""
    if not isinstance(profile, VectorProfile) or not profile.count or profile.error is not None:
        return ""
    if profile.geometry_column is not None:
        types, empty = _types(cast("VectorReader", data), rule.where)
        if empty or any(types & TYPES[kind] for kind in rule.judges):
            return ""
    selected = "" if rule.where is None else " that where selects"
    kinds = " or ".join(f"a {kind}" for kind in rule.judges)
    said = f"nothing to judge: no feature{selected} has {kinds}, of {profile.count}"
    if rule.severity is Severity.WARN:
        return said
    return f"{said}; leave the rule out, or give it severity: warn"


def _types(data: VectorReader, condition: str | None) -> tuple[set[int], bool]:
    """Geometry types (of GEOS) of the features for which a condition holds.

    Returns:
        The types without that of null geometries, and True when all geometries are null or empty.

    """
    columns = columns_of(condition or "", [c.name for c in data.profile.columns])
    found: set[int] = set()
    empty = True
    for index in range(data.batch_count()):
        batch = data.batch(index, columns)
        geometry = batch.geometry
        if condition is not None:
            geometry = geometry[mask(batch.table, condition)]
        geometry = geometry[~shapely.is_missing(geometry)]
        found.update(shapely.get_type_id(geometry).tolist())
        empty &= bool(shapely.is_empty(geometry).all())
    return found, empty


def locations(violations: Violations) -> Sequence[tuple[float, float] | None]:
    """A point (x, y) of every violation, in the CRS of the dataset; None without a geometry."""
    places: list[tuple[float, float] | None] = []
    for geometry in violations.geometry:
        with np.errstate(invalid="ignore"):
            point = None if geometry is None else shapely.point_on_surface(geometry)
        if point is None or point.is_empty or not math.isfinite(point.x + point.y):
            places.append(None)
        else:
            places.append((point.x, point.y))
    return places


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Two tables in memory, and the answer of a join rule however they are cut."""

from __future__ import annotations

import dataclasses
from typing import Any

import shapely

from spatial_pipeline_tests.check.agreement import CUTS, said
from spatial_pipeline_tests.support import memory_vector, run_rule


def table(columns: dict[str, Any], **options: Any) -> Any:
    """A dataset of points with these columns."""
    count = len(next(iter(columns.values())))
    return memory_vector([shapely.Point(i, 0) for i in range(count)], columns, **options)


def joined(rule: Any, own: dict[str, Any], other: dict[str, Any]) -> Any:
    """The result and the violations, the same for every cut of both tables."""
    answers = []
    for batch_size, piece_size, jobs in CUTS:
        data = table(own, batch_size=batch_size)
        there = table(other, batch_size=batch_size)
        result, violations = run_rule(rule, data, there, tile_size=piece_size, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), said(violations)))
    assert all(answer == answers[0] for answer in answers)
    return answers[0]

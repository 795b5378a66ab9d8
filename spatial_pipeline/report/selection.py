"""The violations of a check that a page shows: a bounded number, shared fairly between rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation_runs import AnyViolations, in_memory
from spatial_pipeline.model.violations import Violations

MAX_SHOWN = 2_000
"""Violations of one dataset on a page."""


def selected(
    evaluations: Sequence[tuple[Result, AnyViolations]], limit: int = MAX_SHOWN
) -> list[tuple[Result, Violations]]:
    """The first violations of every rule that has any, at most ``limit`` together.

    Rules with few violations are shown in full; the others share what is left equally. Of a rule
    whose violations are not at hand, the sample in its result is taken.
    """
    known = [(r, f if len(f) else sampled(r)) for r, f in evaluations]
    failing = [(r, f) for r, f in known if len(f)]
    shares = shared([len(f) for _, f in failing], limit)
    return [
        (r, in_memory(f, share).take(slice(0, share)))
        for (r, f), share in zip(failing, shares, strict=True)
    ]


def sampled(result: Result) -> Violations:
    """The violations in the sample of a result: a point each, without the source rows."""
    found = result.sample
    return Violations.build(
        np.full(len(found), -1),
        [v.reason for v in found],
        [None if v.location is None else shapely.Point(v.location) for v in found],
        np.array([np.nan if v.measure is None else v.measure for v in found]),
        next((v.unit for v in found if v.unit), ""),
        keys=[v.keys for v in found],
    )


def shared(counts: Sequence[int], limit: int) -> list[int]:
    """How many of each to take: all of the small ones, equal parts of the large ones."""
    out = [0] * len(counts)
    left = limit
    order = sorted(range(len(counts)), key=lambda i: counts[i])
    for rank, i in enumerate(order):
        out[i] = min(counts[i], left // (len(order) - rank))
        left -= out[i]
    return out

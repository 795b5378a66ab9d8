"""One rule, however the data is cut and whoever works: the answer must be the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import shapely

from spatial_pipeline_tests.support import memory_vector, run_rule

CUTS = ((1000, None, 1), (1, None, 2), (3, 2, 2))
"""Batch size, piece size, threads."""


def said(violations):
    """Findings as plain tuples: rows, reason, WKT, measure, part, ring, vertex."""
    return [
        (
            tuple(int(r) for r in violations.rows[i] if r >= 0),
            violations.reasons[i],
            None if violations.geometry[i] is None else shapely.to_wkt(violations.geometry[i]),
            None if np.isnan(violations.measure[i]) else float(violations.measure[i]),
            int(violations.part[i]),
            int(violations.ring[i]),
            int(violations.vertex[i]),
        )
        for i in range(len(violations))
    ]


def everywhere(rule, geometries, columns=None, **options):
    """The result and the violations, the same for every cut.

    Args:
        rule: the rule.
        geometries: see ``memory_vector``.
        columns: see ``memory_vector``.
        options: see ``memory_vector``.
    """
    answers = []
    for batch_size, piece_size, jobs in CUTS:
        data = memory_vector(geometries, columns, batch_size=batch_size, **options)
        result, violations = run_rule(rule, data, tile_size=piece_size, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), said(violations)))
    assert all(answer == answers[0] for answer in answers)
    return answers[0]

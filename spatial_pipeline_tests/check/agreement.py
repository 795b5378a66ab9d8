"""One rule, however the data is cut and whoever works: the answer must be the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import shapely

from spatial_pipeline_tests.support import memory_vector, run_rule

CUTS = ((1000, None, 1), (1, None, 2), (3, 2, 2))
"""Batch size, piece size, threads."""


def said(findings):
    """Findings as plain tuples: rows, reason, WKT, measure, part, ring, vertex."""
    return [
        (
            tuple(int(r) for r in findings.rows[i] if r >= 0),
            findings.reasons[i],
            None if findings.geometry[i] is None else shapely.to_wkt(findings.geometry[i]),
            None if np.isnan(findings.measure[i]) else float(findings.measure[i]),
            int(findings.part[i]),
            int(findings.ring[i]),
            int(findings.vertex[i]),
        )
        for i in range(len(findings))
    ]


def everywhere(rule, geometries, columns=None, **options):
    """The result and the findings, the same for every cut.

    Args:
        rule: the rule.
        geometries: see ``memory_vector``.
        columns: see ``memory_vector``.
        options: see ``memory_vector``.
    """
    answers = []
    for batch_size, piece_size, jobs in CUTS:
        data = memory_vector(geometries, columns, batch_size=batch_size, **options)
        result, findings = run_rule(rule, data, tile_size=piece_size, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), said(findings)))
    assert all(answer == answers[0] for answer in answers)
    return answers[0]

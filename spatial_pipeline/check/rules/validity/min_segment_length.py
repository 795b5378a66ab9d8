"""min_segment_length: segments are at least so long."""

from __future__ import annotations

import numpy as np

from spatial_pipeline.check.api import (
    LinesAndPolygons,
    Violations,
    feature_rule,
    limits,
    measured,
    segment_lengths,
)
from spatial_pipeline.check.geometry.parts import Parts
from spatial_pipeline.contract.rules.vertices import MinSegmentLength


@feature_rule(judges=LinesAndPolygons)
def evaluate(rule: MinSegmentLength, features: LinesAndPolygons) -> Violations:
    """Segments below the bound of their class, each with its length."""
    vertices = features.vertices
    start, length = vertices.steps, segment_lengths(rule, features)
    bound = limits(rule, features)[vertices.feature[start]]
    found = np.flatnonzero(length < bound)
    start, length, bound = start[found], length[found], bound[found]
    if rule.except_at_border:
        inner = ~features.at_border(vertices.segments(start))
        start, length, bound = start[inner], length[inner], bound[inner]
    shapes = Parts(vertices.segments(start), vertices.feature[start], vertices.part[start])
    every = np.arange(len(start))
    place = {"ring": vertices.ring[start], "vertex": vertices.vertex[start]}
    return measured(
        rule, features, shapes, every, length, bound, "segment length", "below", **place
    )

"""no_curves: every geometry consists of straight segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import shapely

from spatial_pipeline.check.api import Context, FeatureBatch, RuleOutcome, Violations, batch_rule
from spatial_pipeline.check.geometry.unjudged import require_geometry
from spatial_pipeline.contract.rules.vertices import NoCurves
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.profile import VectorProfile

Judged = tuple[int, Violations]
"""Features that are not null, and the violations among them."""


def conclude(rule: NoCurves, context: Context, parts: Sequence[Judged]) -> RuleOutcome:
    """All features with curves, and the curved entities of a drawing."""
    profile = cast("VectorProfile", context.data.profile)
    require_geometry(profile)
    drawn = profile.drawn_curves
    entities = Violations.build([-1] * len(drawn), list(drawn))
    return RuleOutcome(
        checked=sum(count for count, _ in parts),
        violations=Violations.concat([*(found for _, found in parts), entities]),
    )


@batch_rule(conclude)
def evaluate(rule: NoCurves, batch: FeatureBatch, context: Context) -> Judged:
    """Features that had curves, each with its types and the lines that it is staged as.

    Raises:
        RuleError: the version was staged by a release that did not look for curves.

    """
    curves = cast("VectorProfile", context.data.profile).curves
    if curves is None:
        msg = "the version was staged before curves were recorded: stage it again"
        raise RuleError(msg)
    found = [Violations.none()]
    for kinds, rows in curves.items():
        place = np.flatnonzero(np.isin(batch.rows, rows))
        shape = shapely.force_2d(batch.geometry[place])
        found.append(Violations.build(batch.rows[place], f"curve: {kinds}", shape))
    present = np.zeros(len(batch), bool) if batch.wkb is None else np.asarray(batch.wkb.is_valid())
    return int(present.sum()), Violations.concat(found)

"""An HTML page of the differences between two versions: a map of changes, schema and rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.html import features_text, render
from spatial_pipeline.report.map_section import Series, map_section
from spatial_pipeline.report.scene import Scene

KINDS = ("new", "gone", "moved", "edited", "split", "merged")
"""Kinds of changes in the order of the legend; others follow."""


def difference_page(
    title: str,
    made_at: str,
    *,
    facts: Sequence[tuple[str, str]],
    lists: Sequence[tuple[str, Sequence[tuple[str, str]]]],
    changes: Violations,
    total: int,
    profile: Profile,
    scene: Scene | None,
) -> str:
    """The HTML page; it loads no external resources.

    Args:
        title: heading of the page.
        made_at: time of the page, ISO 8601 in UTC.
        facts: labelled properties of the two versions.
        lists: tables of two columns, by title: changes of the schema, of results of rules.
        changes: changed features, with their kind at the beginning of the reason.
        total: number of all changes.
        profile: profile of the later version.
        scene: background of the map.

    """
    found = map_section(_series(changes, total), scene, profile.pyproj_crs, profile.bounds)
    return render(
        "difference.html.jinja", title=title, made_at=made_at, facts=facts, lists=lists, map=found
    )


def _series(changes: Violations, total: int) -> list[Series]:
    kinds = np.array([_kind(str(r)) for r in changes.reasons], dtype=object)
    names = [k for k in KINDS if k in kinds] + sorted({*kinds.tolist()} - {*KINDS})
    series = []
    for name in names:
        some = changes.take(np.flatnonzero(kinds == name))
        # What is not on the page is counted with the kind that comes last.
        rest = total - len(changes) if name == names[-1] else 0
        series.append(
            Series(
                name=name,
                count=len(some) + rest,
                shown=len(some),
                severity="",
                geometry=some.geometry,
                reasons=[str(r) for r in some.reasons],
                features=features_text(some),
                measures=some.measure,
                unit=some.unit,
                rows=some.rows,
            )
        )
    return series


def _kind(reason: str) -> str:
    word = reason.replace(":", " ").split(" ", 1)[0]
    return word if word in KINDS else "changed"

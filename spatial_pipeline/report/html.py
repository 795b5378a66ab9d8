"""One self-contained HTML page: verdicts, results, violations and maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2

from spatial_pipeline.model.result import Result, keys_text
from spatial_pipeline.model.violations import Violation
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.drawing import Drawing, draw

MAX_LISTED = 10
"""Violations listed for one rule."""


@dataclass(frozen=True)
class Section:
    """One dataset on the page.

    Attributes:
        checked: results of the check.
        facts: labelled properties of the dataset.
        drawing: the map, None when no violation has a geometry.
        listed: results with the first of their violations.

    """

    checked: Checked
    facts: tuple[tuple[str, str], ...]
    drawing: Drawing | None
    listed: tuple[tuple[Result, tuple[Violation, ...]], ...]


def page(checked: Sequence[Checked], made_at: str) -> str:
    """The HTML page; it loads no external resources.

    Args:
        checked: results of checks, one section each.
        made_at: time of the check, as shown.

    """
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["number"] = number
    environment.filters["keys"] = keys
    template = environment.from_string(
        files("spatial_pipeline.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    )
    text = template.render(sections=[_section(c) for c in checked], made_at=made_at)
    return text.encode("utf-8", "replace").decode("utf-8")


def number(value: float | None) -> str:
    """A number for people; empty for None."""
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\N{THIN SPACE}")
    return f"{value:.6g}"


def keys(violation: Violation) -> str:
    """The features of a violation: ``08001, 08005``."""
    return keys_text(violation.keys)


def _section(checked: Checked) -> Section:
    listed = tuple((r, r.sample[:MAX_LISTED]) for r in checked.results if r.sample)
    return Section(checked, tuple(_facts(checked)), draw(checked), listed)


def _facts(checked: Checked) -> list[tuple[str, str]]:
    facts = [("Version", checked.version or "none: nothing could be staged")]
    profile: Any = checked.profile
    if profile is None:
        return facts
    crs = profile.pyproj_crs
    facts.append(("Source", profile.uri))
    facts.append(("Format", profile.driver or "unknown"))
    facts.append(("CRS", "none" if crs is None else crs.name))
    if profile.kind == "vector":
        facts.append(("Features", number(profile.count)))
        facts.append(("Geometry", profile.geometry_type or "none"))
    else:
        facts.append(("Size", f"{profile.width} × {profile.height} pixels, {profile.count} bands"))
    if profile.bounds is not None:
        facts.append(("Extent", ", ".join(number(b) for b in profile.bounds)))
    return facts

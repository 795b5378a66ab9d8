"""One self-contained HTML page: verdicts, results, violations, maps and history.

The page loads nothing: style and script are inside, and a Content-Security-Policy allows these two
by their hashes and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from spatial_pipeline.model.crs.comparison import label
from spatial_pipeline.model.result import keys_text
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.map_section import COLOURS, MapSection, Series, map_section, symbol
from spatial_pipeline.report.numbers import exact, number
from spatial_pipeline.report.selection import MAX_SHOWN, selected
from spatial_pipeline.report.trend import HEIGHT, WIDTH, Chart, charts

MAX_ON_PAGE = 6_000
"""Violations on one page, of all datasets together."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Section:
    """One dataset on the page.

    Attributes:
        id: fragment of its address.
        checked: results of the check.
        facts: labelled properties of the dataset.
        map: the map and the table of violations.
        charts: charts of its history.

    """

    id: str
    checked: Checked
    facts: tuple[tuple[str, str], ...]
    map: MapSection
    charts: tuple[Chart, ...]


def limit_of(datasets: int) -> int:
    """Violations that a page of so many datasets shows of each."""
    return max(50, min(MAX_SHOWN, MAX_ON_PAGE // max(datasets, 1)))


def page(checked: Sequence[Checked], made_at: str, title: str = "Spatial checks") -> str:
    """The HTML page; it loads no external resources.

    Args:
        checked: results of checks, one section each.
        made_at: time of the page, ISO 8601 in UTC.
        title: heading of the page.

    """
    limit = limit_of(len(checked))
    sections = [_section(i, c, made_at, limit) for i, c in enumerate(checked, 1)]
    return render("report.html.jinja", sections=sections, made_at=made_at, title=title)


def render(template: str, **values: Any) -> str:
    """A page from a template of this package, with style, script and policy.

    Args:
        template: name of the file.
        values: what the template uses; text is escaped.

    """
    script, style = (_resource(name) for name in ("page.js", "page.css"))
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    text = (
        _environment()
        .get_template(template)
        .render(
            **values,
            policy=policy,
            script=Markup(script),  # noqa: S704 - our own file
            style=Markup(style),  # noqa: S704 - our own file
            colours=COLOURS,
            chart_size={"width": WIDTH, "height": HEIGHT},
        )
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def plain_template(template: str, **values: Any) -> str:
    """A part of a page from a template of this package, without style and script of the page."""
    text = _environment().get_template(template).render(**values)
    return text.encode("utf-8", "replace").decode("utf-8")


def breakable(text: str) -> Markup:
    """Escaped text in which lines may end after a slash and within no date."""
    escaped = str(Markup("/<wbr>").join(text.split("/")))
    return Markup(_DATE.sub(r'<span class="whole">\g<0></span>', escaped))  # noqa: S704 - escaped


def moment(text: str) -> str:
    """An ISO 8601 time in UTC as people read it: ``2026-11-30 06:00:00 UTC``."""
    return text.replace("T", " ").replace("+00:00", " UTC")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["number"] = number
    environment.filters["breakable"] = breakable
    environment.filters["exact"] = exact
    environment.filters["moment"] = moment
    environment.filters["keys"] = keys_text
    environment.globals["symbol"] = symbol
    return environment


@cache
def _resource(name: str) -> str:
    return files("spatial_pipeline.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _section(position: int, checked: Checked, made_at: str, limit: int) -> Section:
    profile = checked.profile
    crs = None if profile is None else profile.pyproj_crs
    bounds = None if profile is None else profile.bounds
    sizes = {result.name: len(found) for result, found in checked.evaluations}
    series = [
        Series(
            name=result.name,
            count=max(len(shown), sizes[result.name]) + checked.more.get(result.name, 0),
            shown=len(shown),
            severity=result.severity.value,
            geometry=shown.geometry,
            reasons=[str(r) for r in shown.reasons],
            features=features_text(shown),
            measures=shown.measure,
            unit=shown.unit,
            rows=shown.rows,
        )
        for result, shown in selected(checked.evaluations, limit)
    ]
    return Section(
        id=f"d{position}",
        checked=checked,
        facts=tuple(_facts(checked)),
        map=map_section(series, checked.scene, crs, bounds),
        charts=tuple(charts(checked.history, made_at)),
    )


def features_text(violations: Violations) -> list[str]:
    """The features of each violation: ``08001, 08005``."""
    if violations.keys is not None:
        return [keys_text(k or ()) for k in violations.keys]
    return [", ".join(str(r) for r in rows if r >= 0) for rows in violations.rows.tolist()]


def _facts(checked: Checked) -> list[tuple[str, str]]:
    facts = [("Version", checked.version or "none: nothing could be staged")]
    if checked.readers_see is not None:
        facts.append(("Readers see", moment(checked.readers_see)))
    profile: Any = checked.profile
    if profile is None:
        return facts
    crs = profile.pyproj_crs
    facts.append(("Source", profile.uri))
    facts.append(("Format", profile.driver or "unknown"))
    facts.append(("CRS", "none" if crs is None else label(crs)))
    if profile.kind == "vector":
        facts.append(("Features", number(profile.count)))
        facts.append(("Geometry", profile.geometry_type or "none"))
    else:
        bands = f"{profile.count} band{'' if profile.count == 1 else 's'}"
        facts.append(("Size", f"{profile.width} × {profile.height} pixels, {bands}"))
    if profile.bounds is not None:
        facts.append(("Extent", ", ".join(exact(b) for b in profile.bounds)))
    return facts

"""A small page for notebooks: results and a map as plain HTML and SVG, without script."""

from __future__ import annotations

from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.drawing import COLOURS, draw
from spatial_pipeline.report.html import plain_template

MAX_LISTED = 10
"""Violations that are listed."""


def notebook_html(checked: Checked) -> str:
    """Verdict, rules that did not pass, a map, and the first violations."""
    drawing = draw(checked)
    listed = [(r, v) for r in checked.results for v in r.sample][:MAX_LISTED]
    return plain_template(
        "notebook.html.jinja", checked=checked, drawing=drawing, listed=listed, colours=COLOURS
    )

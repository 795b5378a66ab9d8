"""A map of violations as a small PNG, for channels that take pictures."""

from __future__ import annotations

import io
import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from spatial_pipeline.report.drawing import Drawing

INCHES = 4.0
DOTS_PER_INCH = 120
TALLEST = 1.5
"""Height to width of the tallest picture."""
COLOURS = ("#d62728", "#1f77b4", "#ff7f0e", "#9467bd", "#2ca02c", "#8c564b")
_STEP = re.compile(r"([MLh])([^MLh]*)")


def png(drawing: Drawing, title: str) -> bytes:
    """The drawing as PNG, some hundred pixels wide.

    Args:
        drawing: the map.
        title: one line above it.

    """
    frame = drawing.frame
    height = INCHES * min(frame.height / frame.width, TALLEST)
    figure = Figure(figsize=(INCHES, height + 0.3), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=8, parse_math=False)
    axes.set_xlim(0, frame.width)
    axes.set_ylim(frame.height, 0)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for path, colour in ((drawing.context, "#bbbbbb"), (drawing.extent, "#888888")):
        if path:
            axes.add_patch(PathPatch(_path(path), fill=False, edgecolor=colour, linewidth=0.6))
    for defect in drawing.defects:
        colour = COLOURS[defect.series % len(COLOURS)]
        if defect.path:
            patch = PathPatch(
                _path(defect.path), fill=defect.filled, color=colour, alpha=0.6, linewidth=1.0
            )
            axes.add_patch(patch)
        axes.plot(defect.x, defect.y, "o", markersize=4, color=colour, markerfacecolor="none")
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _path(text: str) -> Path:
    """The path of SVG's M, L and h commands, which are all that a drawing has."""
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for command, numbers in _STEP.findall(text):
        if command == "h":
            x, y = points[-1]
            points.append((x + float(numbers), y))
        else:
            x, y = map(float, numbers.split())
            points.append((x, y))
        codes.append(int(Path.MOVETO if command == "M" else Path.LINETO))
    return Path(points, codes)

"""PNG map of violations, for channels that accept pictures."""

from __future__ import annotations

import io
import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from PIL import Image, ImageColor

from spatial_pipeline.report.drawing import COLOURS, Drawing

INCHES = 4.0
DOTS_PER_INCH = 120
TALLEST = 1.5
"""Height to width of the tallest picture."""
GREYS = tuple(range(0, 256, 17))
TINTS = (1.0, 0.75, 0.5, 0.25)
_STEP = re.compile(r"([MLh])([^MLh]*)")


def png(drawing: Drawing, title: str) -> bytes:
    """The drawing as PNG, some hundred pixels wide.

    Args:
        drawing: the map.
        title: one line above it.

    """
    frame = drawing.frame
    inches = INCHES * min(frame.height / frame.width, TALLEST)
    figure = Figure(figsize=(INCHES, inches + 0.3), dpi=DOTS_PER_INCH, layout="constrained")
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
            # A point is a very short line: seen with round ends only.
            patch = PathPatch(
                _path(path), fill=False, edgecolor=colour, linewidth=0.6, capstyle="round"
            )
            axes.add_artist(patch)
    for defect in drawing.defects:
        colour = COLOURS[defect.series % len(COLOURS)]
        if defect.path:
            patch = PathPatch(
                _path(defect.path), fill=defect.filled, color=colour, alpha=0.6, linewidth=1.0
            )
            axes.add_artist(patch)
        axes.plot(defect.x, defect.y, "o", markersize=4, color=colour, markerfacecolor="none")
    drawn, written = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # A quarter of the bytes: such maps travel in e-mails and stay in Dagster's event log. The
    # palette is fixed, because one computed from the picture has no colour for a single small mark.
    pixels = Image.open(drawn).convert("RGB")
    flat = pixels.quantize(palette=_palette(), dither=Image.Dither.NONE)
    flat.save(written, "png", optimize=True)
    return written.getvalue()


def _palette() -> Image.Image:
    """Greys, and every colour of a mark in some tints towards white."""
    colours = [(g, g, g) for g in GREYS]
    for red, green, blue in (ImageColor.getrgb(c)[:3] for c in COLOURS):
        colours += [
            (_tinted(red, tint), _tinted(green, tint), _tinted(blue, tint)) for tint in TINTS
        ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in colours for value in colour])
    return palette


def _tinted(value: int, tint: float) -> int:
    """A part of a colour, mixed with white."""
    return round(255 - (255 - value) * tint)


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

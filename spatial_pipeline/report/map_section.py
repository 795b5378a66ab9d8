"""A map with its table, as the template and the script of a page take it.

What a row says and what its place looks like is decided here; how both are drawn is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyproj
import shapely
from markupsafe import Markup
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.crs.comparison import label
from spatial_pipeline.report.map_geometry import encoded, places, simplified
from spatial_pipeline.report.numbers import exact
from spatial_pipeline.report.scene import Scene
from spatial_pipeline.runtime.json_text import json_text

COLOURS = 8
SHAPES = (
    "M6 0A6 6 0 1 1-6 0A6 6 0 1 1 6 0Z",
    "M-5.5-5.5H5.5V5.5H-5.5Z",
    "M0-7L6.5 5H-6.5Z",
    "M0-7.5L7.5 0L0 7.5L-7.5 0Z",
    "M0 7L6.5-5H-6.5Z",
    "M-2-6.5H2V-2H6.5V2H2V6.5H-2V2H-6.5V-2H-2Z",
    "M-6-3.5L0-7L6-3.5V3.5L0 7L-6 3.5Z",
)
"""Outlines of the symbols, around (0, 0): with the colours, 56 rules look different."""


@dataclass(frozen=True)
class Series:
    """Rows of one kind: the violations of a rule, or one kind of change.

    Attributes:
        name: name that people see.
        count: number of all that exist.
        shown: number of rows on the page.
        severity: ``error``, ``warn`` or empty.
        geometry: (shown,) defects, in the CRS of the dataset.
        reasons: (shown,) texts.
        features: (shown,) texts that name the features.
        measures: (shown,) numbers, NaN without one.
        unit: unit of the measures.
        rows: (shown, k) int64 source rows of the features involved, padded with -1.

    """

    name: str
    count: int
    shown: int
    severity: str
    geometry: NDArray[Any]
    reasons: Sequence[str]
    features: Sequence[str]
    measures: NDArray[np.float64]
    unit: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class TableRow:
    """One row of the table; ``number`` counts from 0 within the dataset."""

    number: int
    series: int
    reason: str
    features: str
    measure: str
    unit: str
    x: str
    y: str


@dataclass(frozen=True)
class MapSection:
    """A map and its table.

    Attributes:
        series: kinds of rows, in the order of the legend.
        rows: the table.
        data: JSON for the script, safe inside a script element.
        has_map: True when anything has a place.
        crs: name and code of the CRS, ``unknown CRS`` without one.
        omitted: number of rows that are not on the page.
        simplified: number of places drawn with fewer vertices.
        around_omitted: number of features near places that are not drawn.
        picture: True when a raster lies beneath.

    """

    series: tuple[Series, ...]
    rows: tuple[TableRow, ...]
    data: Markup
    has_map: bool
    crs: str
    omitted: int
    simplified: int
    around_omitted: int
    picture: bool


def symbol(series: int) -> str:
    """Outline of the symbol of a series."""
    return SHAPES[series % len(SHAPES)]


def map_section(
    series: Sequence[Series],
    scene: Scene | None,
    crs: pyproj.CRS | None,
    bounds: Bounds | None,
) -> MapSection:
    """The map and the table of some series.

    Args:
        series: kinds of rows.
        scene: background of the map.
        crs: CRS of all coordinates.
        bounds: extent of the dataset.

    """
    rows: list[TableRow] = []
    marks: list[dict[str, Any]] = []
    coarse = 0
    around = np.empty(0, np.int64) if scene is None else scene.rows
    index = {int(row): i for i, row in enumerate(around)}
    extents: list[Any] = [] if bounds is None else [bounds]
    for number, one in enumerate(series):
        drawn, cut = simplified(one.geometry)
        coarse += int(cut.sum())
        points = places(one.geometry)
        with_place = np.asarray(np.isfinite(points).all(axis=1), dtype=np.bool_)
        extents += [e for e in [shapely.total_bounds(one.geometry[with_place])] if with_place.any()]
        for i, shape in enumerate(encoded(drawn)):
            x, y = (float(v) for v in points[i])
            mark: dict[str, Any] = {"s": number}
            if with_place[i]:
                involved = [index[r] for r in one.rows[i].tolist() if r in index]
                mark |= {"p": [x, y], "g": shape, "f": involved}
            marks.append(mark)
            measure = exact(float(one.measures[i]))
            unit = one.unit if measure else ""
            row = TableRow(
                len(rows),
                number,
                str(one.reasons[i]),
                one.features[i],
                measure,
                unit,
                exact(x),
                exact(y),
            )
            rows.append(row)
    picture = None if scene is None else scene.picture
    known = np.array([e for e in extents if np.isfinite(e).all()], dtype=np.float64).reshape(-1, 4)
    drawable = bool(len(known)) and (any("p" in m for m in marks) or scene is not None)
    value = {
        "crs": None if crs is None else label(crs),
        "geographic": crs is not None and crs.is_geographic,
        "metre": _metres(crs),
        "bounds": [*known[:, :2].min(axis=0), *known[:, 2:].max(axis=0)] if len(known) else None,
        "extent": bounds,
        "shapes": SHAPES,
        "marks": marks,
        "overview": [] if scene is None else encoded(_coarse(scene.overview, known)),
        "around": [] if scene is None else encoded(simplified(scene.around)[0]),
        "picture": None
        if picture is None
        else {
            "address": picture.address,
            "transform": picture.transform,
            "size": [picture.width, picture.height],
        },
    }
    return MapSection(
        series=tuple(series),
        rows=tuple(rows),
        data=safe_json(value),
        has_map=drawable,
        crs="unknown CRS" if crs is None else label(crs),
        omitted=sum(s.count - s.shown for s in series),
        simplified=coarse,
        around_omitted=0 if scene is None else scene.omitted,
        picture=picture is not None,
    )


def safe_json(value: Any) -> Markup:
    """JSON that no text inside can end: for the content of a script element."""
    text = json_text(value, compact=True, non_finite="null")
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - every character that could end the element is escaped


def _coarse(geometry: NDArray[Any], known: NDArray[np.float64]) -> NDArray[Any]:
    """Background features at the resolution of the whole map; it is not drawn closer."""
    if not len(known) or not len(geometry):
        return geometry
    size = float((known[:, 2:].max(axis=0) - known[:, :2].min(axis=0)).max())
    if size <= 0:
        return geometry
    out: NDArray[Any] = shapely.simplify(geometry, size / 2000, preserve_topology=False)
    small = shapely.is_empty(out) & ~shapely.is_empty(geometry)
    out[small] = shapely.centroid(geometry[small])
    return out


def _metres(crs: pyproj.CRS | None) -> float | None:
    """Metres of one unit of a projected CRS; None for others."""
    if crs is None or crs.is_geographic or not crs.axis_info:
        return None
    factor = crs.axis_info[0].unit_conversion_factor
    return float(factor) if factor else None

"""Pictures of the topology rules: layers that pass and fail, and the defects that the rule finds.

    python -m spatial_pipeline_tests.rule_pictures

writes docs/images/rules/<rule>.svg from the cases of the rules' own tests. Green passes; red are
the violations that the rule finds. The other dataset is dashed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from spatial_pipeline.contract.rules import CATALOGUE, Rule
from spatial_pipeline.contract.vocabulary import Family
from spatial_pipeline_tests.check.layer_cases import LayerCases
from spatial_pipeline_tests.check.rule_cases import RuleCases
from spatial_pipeline_tests.support import memory_vector, run_rule

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "rules"
SIDE, MARGIN = 120, 12
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'viewBox="0 0 {width} {height}" role="img">'
)
OTHER = {"uri": "other.gpkg"}
SQUARE, NEXT = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))", "POLYGON ((4 0, 8 0, 8 4, 4 4, 4 0))"
FRAME = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 3 6, 6 6, 6 3, 3 3))"
FILLING = "POLYGON ((3 3, 6 3, 6 6, 3 6, 3 3))"
Side = tuple[Sequence[str], Sequence[str]]
"""Layer and other layer."""
HAND: dict[str, tuple[Rule, Side, Side]] = {
    rule.rule: (rule, passes, fails)
    for rule, passes, fails in (
        (CATALOGUE["must_not_overlap"](), ([SQUARE, NEXT], []),
         ([SQUARE, "POLYGON ((3 1, 8 1, 8 5, 3 5, 3 1))"], [])),
        (CATALOGUE["must_not_have_gaps"](), ([FRAME, FILLING], []),
         ([FRAME, "POLYGON ((3 3, 6 3, 6 5, 3 3))"], [])),
        (CATALOGUE["matched_edges"](), ([SQUARE, NEXT], []),
         ([SQUARE, "POLYGON ((4 0, 8 0, 8 2, 4 2, 4 0))", "POLYGON ((4 2, 8 2, 8 4, 4 4, 4 2))"],
          [])),
        (CATALOGUE["must_not_have_dangles"](),
         (["LINESTRING (0 0, 4 4)", "LINESTRING (4 4, 8 0)", "LINESTRING (8 0, 0 0)"], []),
         (["LINESTRING (0 0, 4 4)", "LINESTRING (4 4, 8 0)", "LINESTRING (8 0, 1 0)"], [])),
        (CATALOGUE["must_be_covered_by"].model_validate(
            {"rule": "must_be_covered_by", "other": OTHER}),
         (["POLYGON ((1 1, 3 1, 3 3, 1 3, 1 1))"], [SQUARE]),
         (["POLYGON ((2 1, 6 1, 6 3, 2 3, 2 1))"], [SQUARE])),
        (CATALOGUE["must_cover_each_other"].model_validate(
            {"rule": "must_cover_each_other", "other": OTHER}),
         ([SQUARE], [SQUARE]), ([SQUARE], ["POLYGON ((1 0, 5 0, 5 4, 1 4, 1 0))"])),
    )
}  # fmt: skip
"""Layers of rules whose tests have no cases of that form."""


def drawable() -> list[str]:
    """Topology rules about features, in alphabetical order."""
    return sorted(
        i for i, m in CATALOGUE.items() if m.family is Family.TOPOLOGY and "vector" in m.kinds
    )


def picture(rule: str) -> str:
    """The SVG of a rule.

    Raises:
        LookupError: its tests have no case that passes and one that fails.

    """
    passes, fails = (_drawn(*side) for side in _sides(rule))
    width = 2 * SIDE + MARGIN
    return "\n".join(
        [
            SVG.format(width=width, height=SIDE),
            f"<title>{rule}: passes (left), fails (right)</title>",
            *_panel(0, "#2e7d32", passes),
            *_panel(SIDE + MARGIN, "#c62828", fails),
            "</svg>\n",
        ]
    )


def write() -> list[Path]:
    """Writes the pictures of all rules."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = []
    for rule in drawable():
        path = FOLDER / f"{rule}.svg"
        path.write_text(picture(rule), encoding="utf-8")
        written.append(path)
    return written


def _sides(rule: str) -> list[tuple[Any, list[Any], list[Any], list[Any]]]:
    """For passing and failing: the rule, its layer, the other layer, and the defects."""
    sides = [_run(*side) for side in _layers(rule)]
    (passing, failing) = (s[3] for s in sides)
    if passing or not failing:
        msg = f"{rule}: the cases are not one that passes and one that fails"
        raise LookupError(msg)
    return sides


def _layers(rule: str) -> Iterator[tuple[Any, Any, list[Any], list[Any]]]:
    if rule in HAND:
        model, *sides = HAND[rule]
        for own, other in sides:
            yield None, model, *(_shapes(w) for w in (own, other))
        return
    module = importlib.import_module(f"spatial_pipeline_tests.check.rules.topology.test_{rule}")
    cases = next(v.cases for v in vars(module).values() if hasattr(v, "cases"))
    if isinstance(cases, RuleCases):
        yield cases, cases.rule, _shapes(cases.passes[:1]), []
        yield cases, cases.rule, _shapes([cases.fails[0][0]]), []
        return
    fitting = [c for c in cases.passes if c[0]] or cases.passes
    for own, other, *_ in (fitting[0], cases.fails[0]):
        yield cases, cases.rule, _shapes(own), _shapes(other)


def _shapes(texts: Sequence[Any]) -> list[Any]:
    return [w if not isinstance(w, str) else shapely.from_wkt(w) for w in texts]


def _run(
    cases: LayerCases | RuleCases | None, rule: Any, own: list[Any], other: list[Any]
) -> tuple[Any, list[Any], list[Any], list[Any]]:
    if isinstance(cases, LayerCases):
        data, others = cases.data(own), cases.others(other)
    else:
        columns = {n: [v] * len(own) for n, v in ({} if cases is None else cases.columns).items()}
        data = memory_vector(own, columns)
        others = () if not rule.others() else (memory_vector(other),)
    _, violations = run_rule(rule, data, *others)
    defects = [g for g in violations.geometry if g is not None]
    # A defect without a place of its own is the feature.
    defects += [own[r[0]] for r, g in zip(violations.rows, violations.geometry, strict=True)
                if g is None and r[0] >= 0]  # fmt: skip
    return rule, own, other, defects


def _drawn(_rule: Any, own: list[Any], other: list[Any], defects: list[Any]) -> list[str]:
    """Shapes of one panel, scaled into it."""
    every = np.array([*own, *other, *defects], dtype=object)
    xmin, ymin, xmax, ymax = shapely.total_bounds(every)
    size = max(xmax - xmin, ymax - ymin) or 1.0
    scale = (SIDE - 2 * MARGIN) / size
    left = (SIDE - scale * (xmax - xmin)) / 2 - scale * xmin
    top = (SIDE - scale * (ymax - ymin)) / 2 + scale * ymax

    def placed(shape: Any) -> Any:
        return shapely.transform(shape, lambda xy: np.stack(
            [left + scale * xy[:, 0], top - scale * xy[:, 1]], axis=1))  # fmt: skip

    styles = (
        (other, 'fill="#ffb74d" fill-opacity="0.15" stroke="#ef6c00" stroke-dasharray="4 3"', 2),
        (own, 'fill="#90a4ae" fill-opacity="0.35" stroke="#455a64"', 2.5),
        (defects, 'fill="#c62828" fill-opacity="0.6" stroke="#c62828" stroke-width="2.5"', 4),
    )
    return [
        text
        for shapes, style, radius in styles
        for shape in shapes
        if shape is not None and not shape.is_empty
        for text in _elements(placed(shape), style, radius)
    ]


def _elements(shape: Any, style: str, radius: float) -> Iterator[str]:
    for part in getattr(shape, "geoms", [shape]):
        if hasattr(part, "geoms"):
            yield from _elements(part, style, radius)
        elif part.geom_type == "Point":
            yield f'<circle cx="{part.x:.1f}" cy="{part.y:.1f}" r="{radius:g}" {style}/>'
        elif part.geom_type == "Polygon":
            rings = [part.exterior, *part.interiors]
            yield f'<path d="{" ".join(map(_path, rings))}" fill-rule="evenodd" {style}/>'
        else:
            line = style.replace("fill=", 'fill="none" data-fill=', 1)
            line = " ".join(w for w in line.split() if not w.startswith(("data-fill", "fill-op")))
            yield f'<path d="{_path(part)}" {line}/>'


def _path(line: Any) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in line.coords)
    return f"M{places}"


def _panel(x: int, color: str, shapes: list[str]) -> Iterator[str]:
    yield f'<g transform="translate({x} 0)">'
    yield (
        f'<rect x="1" y="1" width="{SIDE - 2}" height="{SIDE - 2}" rx="4" fill="#fff" '
        f'stroke="{color}" stroke-width="2"/>'
    )
    yield from shapes
    yield "</g>"


if __name__ == "__main__":
    for written in write():
        print(written)

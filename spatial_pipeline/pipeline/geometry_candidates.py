"""Rules about geometries that a profile tries, from a summary of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.pipeline.column_summary import ColumnSummary
from spatial_pipeline.pipeline.geometry_summary import GeometrySummary
from spatial_pipeline.pipeline.rule_candidates import (
    GEOMETRY,
    TOPOLOGY,
    Parameters,
    RuleCandidate,
    rounded_down,
    rounded_up,
)

MAJORITY = 0.9
"""Share of features from which their type is that of the dataset, and others are strays."""
MEASURED = 5000
"""Features up to which their inner width is tried."""
CODES = 2
"""Columns of codes that are tried as classes of neighbours."""


def of_geometries(
    summary: GeometrySummary, count: int, bounds: Bounds | None, geographic: bool
) -> Iterator[RuleCandidate]:
    """Types, dimensions, validity, sizes, vertices and precision."""
    yield from _types(summary)
    if summary.dimensions:
        options: list[Parameters] = [{"any_of": sorted(summary.dimensions)}]
        if set(summary.dimensions) != {"XY"}:
            options.insert(0, {**options[0], "not_constant_zero": True})
        yield RuleCandidate.of(GEOMETRY, "dimensions", *options)
    yield RuleCandidate.of(GEOMETRY, "not_empty", {}, {"allow_null": True})
    yield RuleCandidate.of(GEOMETRY, "finite_coordinates")
    yield RuleCandidate.of(GEOMETRY, "valid_geometry")
    yield RuleCandidate.of(GEOMETRY, "no_curves")
    yield RuleCandidate.of(GEOMETRY, "coordinates_in_domain")
    if geographic and {"LineString", "Polygon"} & set(summary.single):
        yield RuleCandidate.of(GEOMETRY, "antimeridian")
    yield from _counts(summary)
    yield from _shapes(summary)
    yield from _precision(summary)
    size = 0.0 if bounds is None else max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    near = rounded_down(size / max(math.sqrt(count), 1.0) / 10, 1)
    yield RuleCandidate.of(GEOMETRY, "no_duplicate_geometries")
    if "Polygon" in summary.single:
        yield from _polygons(summary, near)
    if "LineString" in summary.single:
        yield from _lines(summary, near)
    if summary.single == ["Point"]:
        yield from _apart(near, summary.neighbours)


def of_classes(
    columns: Sequence[ColumnSummary], summary: GeometrySummary
) -> Iterator[RuleCandidate]:
    """Neighbours by the columns of codes, and by keys."""
    if summary.single != ["Polygon"]:
        return
    coded = [c for c in columns if c.coded and c.values and len(c.values) > 1]
    for column in coded[:CODES]:
        about = {"values": [column.name]}
        yield RuleCandidate.of(TOPOLOGY, "neighbours_must_differ", about, label=column.name)
        groups = {"group_by": [column.name]}
        yield RuleCandidate.of(TOPOLOGY, "groups_must_be_contiguous", groups, label=column.name)


def _types(summary: GeometrySummary) -> Iterator[RuleCandidate]:
    """The type of most features; the others are accepted by number, and named."""
    if not summary.types:
        return
    total = sum(summary.types.values())
    first = summary.single[0]
    alike = {t: n for t, n in summary.types.items() if t.removeprefix("Multi") == first}
    strays = {t: n for t, n in summary.types.items() if t not in alike}
    multi = any(t.startswith("Multi") for t in alike)
    about: Parameters = {"any_of": [first]} | ({} if multi else {"allow_multi": False})
    if not strays:
        plain = {"any_of": list(alike)}
        yield RuleCandidate.of(GEOMETRY, "geometry_type", about, {"any_of": [first]}, plain)
        return
    named = "; ".join(
        f"{n} {t}: row{'' if n == 1 else 's'} {', '.join(map(str, summary.rows[t]))}"
        f"{'' if n <= len(summary.rows[t]) else ' …'}"
        for t, n in sorted(strays.items())
    )
    every = {"any_of": sorted({*summary.single})}
    if sum(alike.values()) < MAJORITY * total:
        remark = ", ".join(f"{n} {t}" for t, n in summary.types.most_common())
        yield RuleCandidate.of(GEOMETRY, "geometry_type", every, remark=remark)
        return
    remark = f"strays: {named}"
    known = {**about, "max_violations": sum(strays.values())}
    yield RuleCandidate.of(GEOMETRY, "geometry_type", about, known, every, remark=remark)


def _counts(summary: GeometrySummary) -> Iterator[RuleCandidate]:
    vertices, parts = summary.span("vertices"), summary.span("parts")
    if vertices.found:
        yield RuleCandidate.of(GEOMETRY, "vertex_count", {"max": int(vertices.most)})
    if parts.found and parts.most > 1:
        yield RuleCandidate.of(GEOMETRY, "part_count", {"max": int(parts.most)})
        yield RuleCandidate.of(GEOMETRY, "no_unneeded_multi")
    elif parts.found:
        yield RuleCandidate.of(GEOMETRY, "single_part")
    if "Polygon" in summary.single:
        yield RuleCandidate.of(GEOMETRY, "no_holes")
        if summary.holes:
            rings = [{"max": n} for n in (2, 5, 10, 100, 1000)]
            yield RuleCandidate.of(GEOMETRY, "ring_count", *rings)


def _shapes(summary: GeometrySummary) -> Iterator[RuleCandidate]:
    """Rules about rings, segments and vertices."""
    single = set(summary.single)
    if not single & {"LineString", "Polygon"}:
        yield RuleCandidate.of(GEOMETRY, "simple_geometry")
        return
    segment = summary.span("segment")
    yield RuleCandidate.of(GEOMETRY, "no_repeated_points")
    yield RuleCandidate.of(GEOMETRY, "no_spikes", *({"min_angle": a} for a in (10, 1, 0.1)))
    yield RuleCandidate.of(GEOMETRY, "no_redundant_vertices")
    if segment.found:
        if segment.least > 0:
            least = {"value": rounded_down(segment.least)}
            yield RuleCandidate.of(GEOMETRY, "min_segment_length", least)
            smallest = {"tolerance": rounded_down(segment.least / 2)}
            yield RuleCandidate.of(TOPOLOGY, "larger_than_cluster_tolerance", smallest)
        most = {"value": rounded_up(segment.most)}
        yield RuleCandidate.of(GEOMETRY, "max_segment_length", most)
    if "Polygon" in single:
        area, hole = summary.span("area"), summary.span("hole")
        orientation = ({"exterior": "ccw"}, {"exterior": "cw"})
        yield RuleCandidate.of(GEOMETRY, "ring_orientation", *orientation)
        if area.found and area.least > 0:
            least = {"value": rounded_down(area.least), "by_part": True}
            yield RuleCandidate.of(GEOMETRY, "min_area", least)
            # The inner width is dear to measure: one guess, and not for many features.
            if sum(summary.types.values()) <= MEASURED:
                width = {"value": rounded_down(math.sqrt(area.least) / 10, 1)}
                yield RuleCandidate.of(GEOMETRY, "min_width", width)
        if area.found:
            most = {"value": rounded_up(area.most), "by_part": True}
            yield RuleCandidate.of(GEOMETRY, "max_area", most)
        if hole.found and hole.least > 0:
            yield RuleCandidate.of(GEOMETRY, "min_hole_area", {"value": rounded_down(hole.least)})
        thin = ({"max_thinness": t} for t in (0.1, 0.01, 0.001))
        yield RuleCandidate.of(GEOMETRY, "no_slivers", *thin)
    if "LineString" in single:
        length = summary.span("length")
        yield RuleCandidate.of(GEOMETRY, "simple_geometry")
        yield RuleCandidate.of(GEOMETRY, "closed_lines")
        if length.found and length.least > 0:
            least = {"value": rounded_down(length.least), "by_part": True}
            yield RuleCandidate.of(GEOMETRY, "min_length", least)
        if length.found:
            most = {"value": rounded_up(length.most), "by_part": True}
            yield RuleCandidate.of(GEOMETRY, "max_length", most)


def _precision(summary: GeometrySummary) -> Iterator[RuleCandidate]:
    if summary.decimals is not None:
        digits = {"max_decimals": summary.decimals}
        grid = summary.step * 10.0**-summary.decimals
        fine: list[Parameters] = [{"grid": grid, **digits}] if summary.step > 1 else []
        yield RuleCandidate.of(GEOMETRY, "coordinate_precision", *fine, digits)
    z, step = summary.span("z"), summary.span("step")
    if z.found:
        about = {"min": rounded_down(z.least, 4), "max": rounded_up(z.most, 4)}
        if step.found and step.most > 0:
            about["max_step"] = rounded_up(step.most)
        yield RuleCandidate.of(GEOMETRY, "z_range", about)
    if any("M" in name for name in summary.dimensions):
        directions = ({"direction": d} for d in ("increasing", "decreasing"))
        yield RuleCandidate.of(GEOMETRY, "monotonic_measure", *directions)


def _polygons(summary: GeometrySummary, near: float) -> Iterator[RuleCandidate]:
    yield RuleCandidate.of(TOPOLOGY, "must_not_overlap")
    yield RuleCandidate.of(TOPOLOGY, "must_not_have_gaps")
    yield RuleCandidate.of(TOPOLOGY, "must_not_contain")
    yield RuleCandidate.of(TOPOLOGY, "must_not_be_contained_by")
    if summary.neighbours:
        yield RuleCandidate.of(TOPOLOGY, "matched_edges")
    elif summary.single == ["Polygon"]:
        yield from _apart(near, neighbours=False)


def _apart(near: float, neighbours: bool) -> Iterator[RuleCandidate]:
    """Features that keep a distance."""
    if neighbours:
        return
    yield RuleCandidate.of(TOPOLOGY, "must_be_disjoint")
    if near > 0:
        distances = ({"distance": rounded_down(near / d, 1)} for d in (1, 10, 100))
        yield RuleCandidate.of(TOPOLOGY, "min_distance", *distances)


def _lines(summary: GeometrySummary, near: float) -> Iterator[RuleCandidate]:
    if "Polygon" not in summary.single:
        yield RuleCandidate.of(TOPOLOGY, "must_not_overlap")
    for rule in (
        "must_not_intersect", "must_not_touch_interior", "must_not_self_overlap",
        "must_not_self_intersect", "lines_split_at", "must_not_have_dangles",
        "must_not_have_pseudo_nodes", "must_be_single_component", "must_be_acyclic",
    ):  # fmt: skip
        yield RuleCandidate.of(TOPOLOGY, rule)
    yield RuleCandidate.of(TOPOLOGY, "node_valency", *({"max": n} for n in (2, 3, 4, 5, 6, 8, 12)))
    if near > 0:
        distances = ({"within": rounded_down(near / d, 1)} for d in (10, 100, 1000))
        yield RuleCandidate.of(TOPOLOGY, "no_near_misses", *distances)
    if summary.three_dimensional:
        yield RuleCandidate.of(TOPOLOGY, "flows_downhill")
        yield RuleCandidate.of(TOPOLOGY, "consistent_z_at_intersection")


__all__ = ["of_classes", "of_geometries"]

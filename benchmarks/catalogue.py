"""Time of each rule of the catalogue, as a multiple of ``shapely.is_valid`` or of bare decoding.

    python benchmarks/catalogue.py --features 100000 --pixels 2048 --repeat 1

Every rule runs by itself over a staged version, so its time includes reading what it needs. Rules
about features are compared with ``shapely.is_valid`` of the decoded polygons in one thread, rules
about pixels with decoding every block in one thread. Rules that read no data, or that compare with
an earlier publication, are left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray
from topology_data import CHUNK, CRS, coverage, districts

POLYGONS, LINES, POINTS, RASTER = "polygons", "lines", "points", "raster"
OTHER = {"uri": "other"}
Case = tuple[str, dict[str, Any], str | None]
"""Layer, parameters, other layer."""


def of(layer: str, other: str | None = None, **parameters: Any) -> Case:
    """A rule on a layer."""
    return layer, {**parameters, **({} if other is None else {"other": OTHER})}, other


CASES: dict[str, Case] = {
    # Columns.
    "not_null": of(POLYGONS, columns=["id", "code"]),
    "unique": of(POLYGONS, columns=["id"]),
    "value_range": of(POLYGONS, column="value", min=0, max=1),
    "allowed_values": of(POLYGONS, column="code", values=["a", "b", "c"]),
    "matches": of(POLYGONS, column="name", pattern="n[0-9]+"),
    "text_encoding": of(POLYGONS, columns=["name"]),
    "allowed_combinations": of(POLYGONS, columns=["code"], combinations=[["a"], ["b"], ["c"]]),
    "expression": of(POLYGONS, sql="value <= 1"),
    "foreign_key": of(POLYGONS, POLYGONS, columns=["id"]),
    "related_count": of(POLYGONS, POLYGONS, keys={"id": "id"}, min=1),
    "related_values": of(POLYGONS, POLYGONS, keys={"id": "id"}, compare=[["code", "=", "code"]]),
    "ranges_must_not_overlap": of(POLYGONS, **{"from": "low", "to": "high"}),
    "ranges_must_not_have_gaps": of(POLYGONS, **{"from": "low", "to": "high"}),
    "column_statistics": of(
        POLYGONS, column="value", mean={"max": 1}, quantiles={"0.5": {"max": 1}}
    ),
    "group_aggregate": of(POLYGONS, aggregate="sum", measure="area", group_by=["code"], min=0),
    # Single geometries.
    "feature_count": of(POLYGONS, min=1),
    "geometry_type": of(POLYGONS, any_of=["Polygon"]),
    "dimensions": of(POLYGONS, any_of=["XY"]),
    "not_empty": of(POLYGONS),
    "finite_coordinates": of(POLYGONS),
    "valid_geometry": of(POLYGONS, all_errors=True),
    "no_curves": of(POLYGONS),
    "simple_geometry": of(LINES),
    "coordinates_in_domain": of(POLYGONS),
    "ring_orientation": of(POLYGONS),
    "no_repeated_points": of(POLYGONS, within=0.001),
    "no_spikes": of(POLYGONS, min_angle=1),
    "no_slivers": of(POLYGONS, max_thinness=0.1),
    "min_area": of(POLYGONS, value=1),
    "max_area": of(POLYGONS, value=1e6),
    "min_length": of(LINES, value=0.1),
    "max_length": of(LINES, value=1e6),
    "min_segment_length": of(POLYGONS, value=0.001),
    "max_segment_length": of(POLYGONS, value=1e6),
    "min_hole_area": of(POLYGONS, value=0.1),
    "min_width": of(POLYGONS, value=1),
    "no_holes": of(POLYGONS),
    "single_part": of(POLYGONS),
    "no_unneeded_multi": of(POLYGONS),
    "closed_lines": of(LINES),
    "vertex_count": of(POLYGONS, max=100),
    "part_count": of(POLYGONS, max=1),
    "ring_count": of(POLYGONS, max=2),
    "no_redundant_vertices": of(POLYGONS),
    "coordinate_precision": of(POLYGONS, max_decimals=12),
    "no_duplicate_geometries": of(POLYGONS),
    "z_range": of(POLYGONS, min=0),
    "monotonic_measure": of(LINES),
    "measures_match": of(POLYGONS, columns={"area": "value"}, tolerance={"relative": 1e9}),
    # Features beside each other.
    "must_not_overlap": of(POLYGONS),
    "must_not_have_gaps": of(POLYGONS),
    "matched_edges": of(POLYGONS),
    "larger_than_cluster_tolerance": of(POLYGONS, tolerance=0.001),
    "must_not_contain": of(POLYGONS),
    "must_not_be_contained_by": of(POLYGONS),
    "neighbours_must_differ": of(POLYGONS, values=["id"]),
    "groups_must_be_contiguous": of(POLYGONS, group_by=["code"]),
    "relation": of(POLYGONS, predicate="touches", min=1),
    "must_be_disjoint": of(POINTS),
    "min_distance": of(POINTS, distance=0.5),
    "must_not_intersect": of(LINES),
    "must_not_touch_interior": of(LINES),
    "must_not_self_overlap": of(LINES),
    "must_not_self_intersect": of(LINES),
    "must_not_have_dangles": of(LINES),
    "must_not_have_pseudo_nodes": of(LINES),
    "node_valency": of(LINES, max=4),
    "consistent_z_at_intersection": of(LINES),
    "no_near_misses": of(LINES, within=0.1),
    "lines_split_at": of(LINES),
    "must_be_single_component": of(LINES),
    "must_be_acyclic": of(LINES),
    "flows_downhill": of(LINES),
    # Another dataset.
    "must_be_covered_by": of(POLYGONS, "areas"),
    "must_be_covered_by_one": of(POINTS, "areas"),
    "must_cover_each_other": of(POLYGONS, "areas"),
    "must_be_properly_inside": of(POINTS, "areas"),
    "must_contain_point": of(POLYGONS, POINTS),
    "must_contain_one_point": of(POLYGONS, POINTS),
    "count_inside": of(POLYGONS, POINTS, min=0),
    "must_not_overlap_with": of(POLYGONS, "areas"),
    "must_not_intersect_with": of(LINES, LINES),
    "must_be_within_distance": of(POINTS, LINES, distance=20),
    "endpoint_must_be_covered_by": of(LINES, POINTS),
    "must_be_covered_by_line": of(POINTS, LINES),
    "must_be_covered_by_endpoint": of(POINTS, LINES),
    "must_be_covered_by_boundary": of(POINTS, "areas"),
    "must_coincide_with": of(POINTS, POINTS),
    "boundary_must_be_covered_by": of(POLYGONS, LINES),
    "area_boundary_must_be_covered_by_boundary": of(POLYGONS, POLYGONS),
    "must_follow_boundaries": of(LINES, POLYGONS),
    "values_match_location": of(POINTS, POLYGONS, values={"code": "code"}),
    "bounded_by": of(POLYGONS, LINES),
    "must_reach": of(LINES, POINTS),
    "same_features_as": of(POLYGONS, POLYGONS, key=["id"]),
    "same_count_as": of(POLYGONS, POLYGONS),
    "same_schema_as": of(POLYGONS, POLYGONS),
    "positional_accuracy": of(POINTS, POINTS, key=["id"], rmse=1),
    # Pixels.
    "readable_pixels": of(RASTER),
    "pixel_range": of(RASTER, min=1, max=60_000),
    "pixel_values": of(RASTER, values=list(range(12_000, 28_100))),
    "nodata_fraction": of(RASTER, max=0.5),
    "no_nan": of(RASTER),
    "not_constant": of(RASTER),
    "no_stripes": of(RASTER),
    "statistics": of(RASTER, mean=[1, 60_000], percentiles=[{"at": 50, "min": 1}]),
    "no_voids": of(RASTER, ignore_edge=True),
    "min_patch_size": of(RASTER, pixels=1),
    "no_spikes_in_surface": of(RASTER, max_step=60_000),
    "pixel_expression": of(RASTER, bands={"z": 1}, expression="z > 0"),
    "same_pixels_as": of(RASTER, RASTER),
    "same_mask_as": of(RASTER, RASTER),
}

BASE = "must_not_overlap"
"""Rules that take longer have a reason."""
REASONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("every line of this layer is a violation, and each is cut at all lines that cross it",
     ("must_follow_boundaries", "bounded_by", "boundary_must_be_covered_by")),
    ("every pair of this layer is a violation, and its intersection is the violation's geometry",
     ("must_not_overlap_with", "must_not_intersect_with", "must_reach",
      "endpoint_must_be_covered_by")),
    ("an exact DE-9IM predicate for each pair of neighbours, about six per polygon",
     ("relation", "groups_must_be_contiguous", "neighbours_must_differ")),
    ("each of the many covers of an area is compared with its boundary; few are united",
     ("must_cover_each_other", "must_be_covered_by")),
    ("the shortest line from every point without a near one; half of them are violations here",
     ("must_be_within_distance",)),
    ("an exact intersection for each pair of lines that meet: three per line here",
     ("lines_split_at", "must_not_intersect", "must_not_touch_interior", "no_near_misses")),
    ("decodes and validates both layers into geometry objects; must_not_overlap needs few objects",
     ("area_boundary_must_be_covered_by_boundary", "must_not_contain", "must_not_be_contained_by",
      "values_match_location", "must_contain_point", "must_contain_one_point", "count_inside",
      "must_be_properly_inside", "must_be_covered_by_one", "must_be_covered_by_line",
      "must_be_covered_by_endpoint", "must_be_covered_by_boundary", "must_coincide_with",
      "positional_accuracy", "same_features_as", "min_distance", "must_be_disjoint")),
    ("decodes every geometry and looks at each vertex; must_not_overlap decodes few",
     ("min_width", "min_segment_length", "max_segment_length", "no_spikes", "no_redundant_vertices",
      "no_repeated_points", "coordinate_precision", "min_hole_area", "matched_edges",
      "no_slivers", "max_area", "min_area", "ring_orientation", "no_unneeded_multi",
      "coordinates_in_domain", "valid_geometry", "measures_match", "single_part", "no_holes",
      "no_duplicate_geometries", "larger_than_cluster_tolerance", "group_aggregate")),
    ("all line ends are sorted by place, and joined into a network where paths matter",
     ("must_not_have_pseudo_nodes", "node_valency", "must_be_acyclic", "must_be_single_component",
      "consistent_z_at_intersection", "must_not_have_dangles", "flows_downhill",
      "must_not_self_intersect", "must_not_self_overlap", "simple_geometry", "closed_lines",
      "monotonic_measure", "min_length", "max_length")),
    ("values of all rows are compared or grouped by DuckDB",
     ("allowed_combinations", "allowed_values", "expression", "unique", "matches", "foreign_key",
      "related_count", "related_values", "ranges_must_not_overlap", "ranges_must_not_have_gaps",
      "column_statistics")),
)  # fmt: skip
"""Why rules take longer than ``BASE`` on these layers."""


def reason(rule: str) -> str:
    """Why a rule takes longer than ``BASE``; empty when nothing is known."""
    return next((why for why, rules in REASONS if rule in rules), "")


def table(count: int, shapes: Callable[[int, int], NDArray[np.object_]]) -> Iterator[pa.Table]:
    """Chunks of features with columns."""
    for first in range(0, count, CHUNK):
        number = min(CHUNK, count - first)
        index = np.arange(first, first + number)
        yield pa.table(
            {
                "id": index,
                "value": index % 1000 / 1000,
                "code": np.array(["a", "b", "c"])[index % 3],
                "name": [f"n{i}" for i in index.tolist()],
                "low": index.astype(float),
                "high": index + 1.0,
                "geometry": pa.array(shapely.to_wkb(shapes(first, number)), pa.binary()),
            }
        )


def lines(count: int) -> Callable[[int, int], NDArray[np.object_]]:
    """Links of a grid with four segments each, split at all nodes."""
    columns = int((count / 2) ** 0.5) + 1

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        index = np.arange(first, first + number)
        cell, across = index // 2, index % 2
        x, y = cell % columns, cell // columns
        steps = np.linspace(0, 1, 5)
        along = np.stack(
            [x[:, None] + np.where(across[:, None] == 0, steps, 0.0),
             y[:, None] + np.where(across[:, None] == 1, steps, 0.0)], axis=-1,
        )  # fmt: skip
        return np.asarray(shapely.linestrings([500_000, 5_000_000] + 10 * along))

    return chunk


def points(count: int) -> Callable[[int, int], NDArray[np.object_]]:
    """A point in each cell of the coverage."""
    columns = int(count**0.5) + 1

    def chunk(first: int, number: int) -> NDArray[np.object_]:
        index = np.arange(first, first + number)
        place = np.stack([index % columns, index // columns], axis=-1) + 0.5
        return np.asarray(shapely.points([500_000, 5_000_000] + 10 * place))

    return chunk


def write(path: Path, kind: str, tables: Iterator[pa.Table]) -> None:
    """Writes GeoParquet."""
    crs = pyproj.CRS.from_user_input(CRS).to_json_dict()
    column = {"encoding": "WKB", "geometry_types": [kind], "crs": crs}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    first = next(tables)
    schema = first.schema.with_metadata({"geo": json.dumps(geo)})
    with pq.ParquetWriter(path, schema) as writer:
        writer.write_table(first.cast(schema))
        for chunk in tables:
            writer.write_table(chunk.cast(schema))


def versions(folder: Path, features: int, pixels: int) -> dict[str, Any]:
    """Staged layers by name."""
    from pixels import generate
    from product import staged

    kinds = {POLYGONS: "Polygon", LINES: "LineString", POINTS: "Point", "areas": "Polygon"}
    areas = max(features // 1000, 4)
    shapes = {
        POLYGONS: (features, coverage(features)),
        LINES: (features, lines(features)),
        POINTS: (features, points(features)),
        "areas": (areas, districts(features, areas, 400)),
    }
    found = {}
    for name, (count, chunks) in shapes.items():
        path = folder / f"{name}.parquet"
        write(path, kinds[name], table(count, chunks))
        found[name] = staged(path)
    generate(folder, pixels)
    found[RASTER] = staged(folder / "raster.tif", "raster")
    return found


def bare(found: dict[str, Any]) -> dict[str, float]:
    """Seconds of ``is_valid`` of all polygons, and of decoding all pixels, in one thread."""
    pipeline, _, version = found[POLYGONS]
    data = pipeline.store.open(version)
    shapes = [data.batch(i, ()).geometry for i in range(data.batch_count())]
    started = time.perf_counter()
    for some in shapes:
        shapely.is_valid(some)
    valid = time.perf_counter() - started
    pipeline, _, version = found[RASTER]
    data = pipeline.store.open(version)
    started = time.perf_counter()
    for window in data.windows():
        data.read(*window)
    return {"is_valid": valid, "decoding": time.perf_counter() - started}


def measured(found: dict[str, Any], rule: str, threads: int) -> dict[str, Any]:
    """One rule by itself."""
    from product import checked

    from spatial_pipeline.contract.rules import CATALOGUE

    layer, parameters, other = CASES[rule]
    pipeline, contract, version = found[layer]
    model = CATALOGUE[rule].model_validate({"rule": rule, **parameters})
    asked = contract.model_copy(update={"rules": (model,)})
    others = []
    if other is not None:
        there, _, compared = found[other]
        others = [compared]
        if there is not pipeline:
            pipeline = Several(pipeline, {compared: there})
    seconds, ((result, _),) = checked(pipeline, asked, version, threads, *others)
    return {
        "rule": rule, "layer": layer, "seconds": seconds, "status": result.status.value,
        "checked": result.checked, "violations": result.violations, "message": result.message,
    }  # fmt: skip


class Several:
    """A pipeline whose store opens versions of several stores."""

    def __init__(self, pipeline: Any, others: dict[Any, Any]) -> None:
        self.pipeline, self.others = pipeline, others
        self.store = self

    def open(self, version: Any) -> Any:
        """The reader of a version, from the store that has it."""
        return self.others.get(version, self.pipeline).store.open(version)


def run(features: int, pixels: int, repeat: int, threads: int, only: list[str]) -> dict[str, Any]:
    """Medians of all rules."""
    from spatial_pipeline.contract.rules import CATALOGUE

    with TemporaryDirectory() as folder:
        found = versions(Path(folder), features, pixels)
        bare(found)
        base = bare(found)
        rows = []
        for rule in [r for r in CASES if r in CATALOGUE and (not only or r in only)]:
            turns = [measured(found, rule, threads) for _ in range(repeat)]
            row = turns[-1] | {"seconds": statistics.median(t["seconds"] for t in turns)}
            than = "decoding" if row["layer"] == RASTER else "is_valid"
            rows.append(row | {"ratio": row["seconds"] / base[than], "than": than})
            print(f"{rule}: {rows[-1]['ratio']:.1f} × {than}", file=sys.stderr, flush=True)
    least = next((row["ratio"] for row in rows if row["rule"] == BASE), 0.0)
    for row in rows:
        dear = row["than"] == "is_valid" and row["ratio"] > least
        row["reason"] = reason(row["rule"]) if least and dear else ""
    left = sorted(set(CATALOGUE) - set(CASES))
    return {"features": features, "pixels": pixels, "threads": threads, "repeat": repeat,
            **base, "rows": sorted(rows, key=lambda r: -r["ratio"]), "left_out": left}  # fmt: skip


def main() -> None:
    """Prints the table, most expensive rules first, and writes ``catalogue.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--pixels", type=int, default=16_384, help="side of the raster")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rule", action="append", default=[], help="only this rule")
    asked = parser.parse_args()
    result = run(asked.features, asked.pixels, asked.repeat, asked.threads, asked.rule)
    print(f"{asked.features:,} features: is_valid {result['is_valid']:.2f} s; "
          f"{asked.pixels:,}² pixels: decoding {result['decoding']:.2f} s")  # fmt: skip
    print(
        f"{'rule':44}{'layer':10}{'seconds':>9}{'ratio':>8}  {'than':9}{'violations':>11}  status"
    )
    for row in result["rows"]:
        print(
            f"{row['rule']:44}{row['layer']:10}{row['seconds']:9.2f}{row['ratio']:8.1f}  "
            f"{row['than']:9}{row['violations']:11,}  {row['status']}"
        )
    for row in result["rows"]:
        if row["reason"]:
            print(f"{row['rule']}: {row['reason']}")
    print(f"left out: {', '.join(result['left_out'])}")
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()

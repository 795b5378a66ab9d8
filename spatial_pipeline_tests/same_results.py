"""Results of every rule on seeded random data and on the demo, as canonical JSON.

    python -m spatial_pipeline_tests.same_results OUT.json [--layers FIRST STOP] [--only-layers]

Two checkouts whose files are equal judge alike, however their rules are written. Messages are left
out; reasons, counts, keys, places and measures are not.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime as dt
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from shapely import affinity

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.rules import CATALOGUE, OtherSource, Rule
from spatial_pipeline.model.hashing import checksums
from spatial_pipeline.model.profile import BandProfile, BrokenBlock
from spatial_pipeline_tests.support import MemoryRaster, MemoryVector, memory_raster, memory_vector

OTHER = {"uri": "other.gpkg"}
RASTERS = 20


def rule(name: str, **parameters: Any) -> Rule:
    return CATALOGUE[name].model_validate({"rule": name, **parameters})


def vector_rules(unit: float) -> list[Rule]:
    """Rules with parameters that fail on some of the layers; ``unit`` is the size of a cell."""
    layer = OTHER
    types = ["Point", "LineString", "Polygon"]
    return [
        rule("readable"),
        rule("crs", equals="EPSG:32633"),
        rule("crs", any_of=["EPSG:4326", "EPSG:3857"]),
        rule("bounds_within", bounds=[500000, 0, 500004, 4]),
        rule("bounds_within", area_of_use=True),
        *(rule("geometry_type", any_of=[t]) for t in types),
        rule("geometry_type", any_of=types, allow_multi=False, where="number > 0"),
        rule("dimensions", any_of=["XY"]),
        rule("dimensions", not_constant_zero=True),
        rule("columns", schema={"id": "integer", "name!": "string", "flag!": "boolean"}),
        rule("columns", schema={"number": "float64", "id": "string", "nane": "any"}, order=True,
             extra="forbid", name_pattern="[a-z]+", max_name_length=4),
        rule("feature_count", min=5, max=30),
        rule("feature_count", max=10, where="number > 0"),
        rule("not_null", columns=["id", "name"]),
        rule("not_null", columns=["number"], where="flag", max_fraction=0.2),
        rule("unique", columns=["id"]),
        rule("unique", columns=["code", "flag"], where="number > 0"),
        rule("unique", columns=["number"]),
        rule("value_range", column="number", min=-1, max=1.5),
        rule("value_range", column="id", max=10, max_violations=3),
        rule("value_range", column="day", min="2024-01-02", max="2024-02-01"),
        rule("value_range", column="seen", max=dt.datetime(2024, 1, 1, 12)),  # noqa: DTZ001
        rule("value_range", column="exact", min=0),
        rule("value_range", column="name", min=0),
        rule("allowed_values", column="code", values=["a", "b"]),
        rule("matches", column="name", pattern="[a-m]+"),
        rule("text_encoding", columns=["name"]),
        rule("allowed_combinations", columns=["code", "flag"], combinations=[["a", True]]),
        rule("not_empty"),
        rule("not_empty", allow_null=True, where="number > 0"),
        rule("finite_coordinates"),
        rule("valid_geometry"),
        rule("valid_geometry", all_errors=True),
        rule("no_holes"),
        rule("single_part"),
        rule("min_area", value=unit * unit),
        rule("no_duplicate_geometries"),
        rule("no_duplicate_geometries", with_columns=["code"], where="number > 0"),
        rule("no_duplicate_geometries", tolerance=unit),
        rule("no_duplicate_geometries", tolerance=0.3 * unit, with_columns=["code", "flag"]),
        rule("no_unneeded_multi"),
        rule("closed_lines"),
        rule("vertex_count", max=4),
        rule("part_count", max=1),
        rule("ring_count", max=1),
        rule("max_area", value=3 * unit * unit),
        rule("min_length", value=unit),
        rule("max_length", value=4 * unit),
        rule("min_segment_length", value=unit),
        rule("max_segment_length", value=2 * unit),
        rule("min_hole_area", value=unit),
        rule("no_repeated_points", within=0.1 * unit),
        rule("ring_orientation"),
        rule("no_spikes", min_angle=30),
        rule("no_slivers", max_thinness=0.3),
        rule("no_redundant_vertices", max_offset=0.1 * unit),
        rule("coordinate_precision", grid=unit),
        rule("z_range", max=3),
        rule("monotonic_measure"),
        rule("simple_geometry"),
        rule("coordinates_in_domain"),
        rule("antimeridian"),
        rule("measures_match", columns={"area": "number"}),
        rule("must_not_overlap"),
        rule("must_not_have_gaps"),
        rule("must_be_covered_by", other=layer),
        rule("must_not_have_dangles"),
        rule("matched_edges", tolerance=0.1 * unit),
        rule("larger_than_cluster_tolerance", tolerance=unit),
        rule("same_features_as", other=layer, key=["number"]),
        rule("same_features_as", other=layer, key=["id"], geometry="topological",
             columns=["name", "flag"]),
        rule("same_features_as", other=layer, key=["id"], tolerance=0.5 * unit, where="number > 0",
             attribute_tolerance=0.5, max_fraction=0.3),
        rule("same_features_as", other=layer, geometry="exact"),
        rule("same_features_as", others=[layer, layer], key=["id", "code"], geometry="ignore"),
        rule("same_count_as", other=layer),
        rule("same_count_as", other=layer, tolerance=2, where="number > 0"),
        rule("same_count_as", other=layer, max_fraction=0.1),
        rule("round_trips", format="GPKG"),
        rule("round_trips", format="GPKG", tolerance=0.5 * unit, ignore=["name"]),
        rule("round_trips", format="GPKG", where="number > 0", ignore=["geometry", "flag"]),
        rule("staged_matches_source"),
    ]  # fmt: skip


def raster_rules() -> list[Rule]:
    layer = OTHER
    return [
        rule("readable"),
        rule("crs", equals="EPSG:32633"),
        rule("bounds_within", bounds=[0, -8, 8, 0]),
        rule("bounds_within", area_of_use=True),
        rule("band_count", equals=2),
        rule("data_type", any_of=["uint8", "float32"]),
        *(rule("nodata", equals=v) for v in (None, 3, math.nan)),
        rule("resolution", equals=1),
        rule("resolution", equals=[1, 2], tolerance=0.5),
        rule("grid_alignment", origin=[0, 0], resolution=1),
        rule("grid_alignment", origin=[0.25, 0.5], resolution=[1, 2], tolerance=0.3),
        rule("grid_alignment", other=layer),
        rule("cloud_optimized"),
        rule("size", equals=[8, 8]),
        rule("compression", equals="DEFLATE"),
        rule("band_names", equals=["a"]),
        rule("color_interpretation", equals=["gray"]),
        rule("scale_offset", scale=1),
        rule("not_rotated"),
        rule("raster_metadata", tags={"A": "1"}),
        rule("readable_pixels"),
        rule("pixel_range", min=1),
        rule("pixel_range", max=4.5, band=1),
        rule("pixel_range", min=0.1, max=6, band=2, max_fraction=0.3),
        rule("nodata_fraction", max=0.1),
        rule("nodata_fraction", max=0.2, band=2),
        rule("nodata_fraction", max=0, within=[0, -5, 3, 0]),
        rule("nodata_fraction", max=0.2, within=layer),
        rule("same_pixels_as", other=layer),
        rule("same_pixels_as", other=layer, bands=[1], tolerance=1, max_fraction=0.1),
        rule("same_pixels_as", other=layer, resample="bilinear", tolerance=0.5),
        rule("same_pixels_as", other=layer, resample="average"),
        rule("bands_match", others=[layer, layer]),
        rule("bands_match", others=[layer], tolerance=1),
        rule("round_trips", format="GTiff"),
        rule("round_trips", format="GTiff", tolerance=1, ignore=["tags", "nodata"]),
        rule("round_trips", format="GTiff", ignore=["pixels", "nonsense"]),
        rule("staged_matches_source"),
    ]


class Shapes:
    """Random geometries on a coarse grid, so that everything degenerate happens."""

    def __init__(self, random: np.random.Generator, kind: str) -> None:
        self.random = random
        self.kind = kind

    def points(self, count: int) -> list[tuple[float, float]]:
        fine = self.random.random() < 0.1
        xy = self.random.integers(0, 7, (count, 2)) + (
            self.random.normal(0, 0.1, (count, 2)) if fine else 0.0
        )
        return [(float(x), float(y)) for x, y in xy]

    def polygon(self) -> Any:
        r = self.random
        if r.random() < 0.6:
            (x, y), (w, h) = self.points(1)[0], r.integers(1, 4, 2).tolist()
            shell = shapely.box(x, y, x + w, y + h).exterior.coords
            hole = shapely.box(x + 0.25, y + 0.25, x + 0.5, y + 0.75).exterior.coords
            return shapely.Polygon(shell, [hole] if r.random() < 0.3 else [])
        return shapely.Polygon(self.points(int(r.integers(3, 7))))

    def single(self, kind: str) -> Any:
        r = self.random
        if kind == "point":
            return shapely.Point(self.points(1)[0])
        if kind == "line":
            return shapely.LineString(self.points(int(r.integers(2, 6))))
        return self.polygon()

    def one(self) -> Any:
        r, kind = self.random, self.kind
        if kind == "mixed":
            kind = str(r.choice(["point", "line", "polygon"]))
        roll = r.random()
        if roll < 0.04:
            return None
        if roll < 0.07:
            return r.choice([shapely.Point(), shapely.LineString(), shapely.MultiPolygon()])
        if roll < 0.09:
            with np.errstate(all="ignore"):
                bad = [np.nan, np.inf, -np.inf][int(r.integers(3))]
                return shapely.LineString([(0, 0), (1, bad), (2, 2)])
        if roll < 0.10:
            return b"\x01\x02"
        if roll < 0.20:
            parts = [self.single(kind) for _ in range(int(r.integers(1, 4)))]
            many = {"point": shapely.MultiPoint, "line": shapely.MultiLineString,
                    "polygon": shapely.MultiPolygon}[kind]  # fmt: skip
            return many(parts)
        if roll < 0.24:
            return shapely.GeometryCollection([self.single(kind), self.single("line")])
        shape = self.single(kind)
        if roll < 0.32:
            return shapely.force_3d(shape, float(r.integers(0, 5)))
        return shape

    def many(self, count: int) -> list[Any]:
        found: list[Any] = []
        for _ in range(count):
            if found and self.random.random() < 0.1:
                again = found[int(self.random.integers(len(found)))]
                turned = self.random.random() < 0.5 and not isinstance(again, bytes)
                found.append(shapely.reverse(again) if turned else again)
            else:
                found.append(self.one())
        return found


def columns(random: np.random.Generator, count: int) -> dict[str, pa.Array]:
    def gaps(values: list[Any], kind: pa.DataType | None = None, share: float = 0.1) -> pa.Array:
        lost = random.random(len(values)) < share
        return pa.array([None if n else v for n, v in zip(lost, values, strict=True)], kind)

    first = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - without a zone, as most files
    hours = random.integers(0, 2000, count).tolist()
    seen = [first + dt.timedelta(hours=h) for h in hours]
    number = random.normal(0, 1, count).round(1)
    number[random.random(count) < 0.1] = np.nan
    texts = ["a", "b", "Ab", "", "é", "Ã©", "x\ufffd", "nan"]
    return {
        "id": gaps((np.arange(count) - (random.random(count) < 0.1)).tolist(), pa.int64(), 0.05),
        "name": gaps(random.choice(texts, count).tolist(), pa.string()),
        "number": gaps(number.tolist(), pa.float64()),
        "code": gaps(random.choice(["a", "b", "c"], count).tolist(), pa.string()),
        "flag": gaps((random.random(count) < 0.5).tolist(), pa.bool_()),
        "seen": gaps(seen, pa.timestamp("ms")),
        "day": gaps([s.date() for s in seen], pa.date32()),
        "exact": gaps([Decimal(h - 100) / 100 for h in hours], pa.decimal128(12, 2)),
    }


PLACES = {"EPSG:32633": (500000.0, 0.0, 1.0), "EPSG:4326": (12.0, 45.0, 0.01),
          "EPSG:3857": (179.0, 0.0, 1.0), None: (0.0, 0.0, 1.0)}  # fmt: skip


def placed(shape: Any, crs: Any) -> Any:
    if shape is None or isinstance(shape, bytes) or shape.is_empty:
        return shape
    x, y, unit = PLACES[crs]
    with np.errstate(all="ignore"):
        return affinity.affine_transform(shape, [unit, 0, 0, unit, x, y])


def summed(data: MemoryVector, damaged: str | None) -> MemoryVector:
    """The layer with the checksums of ingest, one of them wrong."""
    every, profile = data.everything, data.profile
    named = {n: every.table.column(n) for n in every.table.column_names}
    named["geometry"] = every.wkb
    sums = checksums.column_sums(named, every.rows)
    sums[profile.row_column] = checksums.row_sum(every.rows)
    sums[profile.bbox_column] = checksums.box_sum(data.feature_bounds(), every.rows)
    if damaged is not None:
        sums[damaged] += 1
    data.profile = dataclasses.replace(profile, checksums=checksums.written(sums))
    return data


def layer(seed: int) -> tuple[MemoryVector, MemoryVector, float]:
    """A random layer, another delivery of it, and the size of a cell."""
    random = np.random.default_rng(seed)
    kind = ("point", "line", "polygon", "polygon", "mixed")[seed % 5]
    crs = [*PLACES][int(random.choice(4, p=[0.5, 0.3, 0.1, 0.1]))]
    count = 0 if seed % 40 == 7 else int(random.integers(1, 40))
    shapes = [placed(s, crs) for s in Shapes(random, kind).many(count)]
    table = columns(random, count)
    order = random.permutation(count)
    lost = tuple(int(order[i]) for i, s in enumerate(shapes) if isinstance(s, bytes))
    declared = {"point": "Point", "line": "LineString", "polygon": "Polygon"}.get(kind, "Unknown")
    options: dict[str, Any] = {"geometry_type": declared, "undecodable": lost}
    if random.random() < 0.1:
        options["declared_count"] = count + 1
    size = int(random.integers(1, 12))
    data = memory_vector(shapes, table, crs, size, order.tolist(), **options)
    damage = [None, None, "name", "geometry", "bbox", "__row"][int(random.integers(6))]
    data = summed(data, damage) if random.random() < 0.9 else data
    return data, _delivery(random, data, shapes, crs), PLACES[crs][2]


def _delivery(
    random: np.random.Generator, data: MemoryVector, shapes: list[Any], crs: Any
) -> MemoryVector:
    """Another delivery: features lost, moved, edited, doubled, in another order."""
    count = len(shapes)
    kept = np.flatnonzero(random.random(count) < (1.0 if random.random() < 0.4 else 0.9))
    kept = random.permutation(np.concatenate([kept, kept[:1]]) if random.random() < 0.3 else kept)
    table = data.everything.table.take(pa.array(kept))
    if len(kept) and random.random() < 0.7:
        edited = table.column("name").to_pylist()
        edited[0] = "edited"
        table = table.set_column(1, "name", pa.array(edited, pa.string()))
    if random.random() < 0.2:
        table = table.drop_columns(["flag"])
    moved = []
    for i in kept:
        shape = shapes[i]
        if random.random() < 0.15 and shape is not None and not isinstance(shape, bytes):
            shape = affinity.translate(shape, 0.4 * PLACES[crs][2])
        moved.append(shape)
    named = {n: table.column(n) for n in table.column_names}
    rows = [int(data.everything.rows[i]) for i in kept]
    if len(set(rows)) < len(rows):
        rows = list(range(len(rows)))
    lost = tuple(rows[i] for i, s in enumerate(moved) if isinstance(s, bytes))
    return memory_vector(moved, named, crs, 7, rows, undecodable=lost)


def raster(seed: int) -> tuple[MemoryRaster, tuple[MemoryRaster, ...], MemoryVector]:
    """A random raster, others beside it, and polygons over it."""
    random = np.random.default_rng(1000 + seed)
    dtype = np.dtype(["uint8", "int16", "float32", "float64", "complex64"][seed % 5])
    shape = (1 + seed % 3, *random.integers(1, 30, 2))
    values = random.integers(0, 7, shape).astype(dtype)
    if dtype.kind == "f":
        values[random.random(shape) < 0.05] = np.nan
    nodata = [None, 3, math.nan if dtype.kind == "f" else 3][int(random.integers(3))]
    crs = ["EPSG:32633", "EPSG:4326", None][int(random.choice(3, p=[0.7, 0.2, 0.1]))]
    grids = [(1, 0, 0, 0, -1, 0), (0.5, 0, 0.25, 0, -1, 0), (1, 0.2, 0, 0.1, -1, 0)]
    grid = grids[int(random.choice(3, p=[0.6, 0.2, 0.2]))]
    broken = (BrokenBlock(1, 0, 0, 0, (0.0, -1.0, 1.0, 0.0), "damaged"),) if seed % 7 == 3 else ()
    options = {"crs": crs, "transform": grid, "block": int(random.integers(1, 16))}
    data = memory_raster(values, nodata, tags={"A": "1"}, broken_blocks=broken, **options)
    cells = checksums.empty_cells(shape[0], shape[2], shape[1])
    masks = {band: data.valid[band] for band in data.profile.masked_bands}
    side = checksums.cell_side(int(shape[2]), int(shape[1]))
    checksums.add_window(cells, data.values, masks, 0, 0, side)
    if seed % 4 == 1:
        cells[0, 0, 0] += np.uint64(1)
    data.profile = dataclasses.replace(data.profile, checksums=checksums.cells_written(cells))
    changed = values.copy()
    changed[random.random(shape) < 0.1] += 1
    same = memory_raster(changed, nodata, tags={"A": "2"}, **options)
    first = memory_raster(changed[:1], None, **options)
    bands = tuple(BandProfile(str(dtype), description="b") for _ in range(shape[0]))
    shifted = memory_raster(
        changed, nodata, bands=bands, **{**options, "transform": (1, 0, 0.5, 0, -1, 0.5)}
    )
    areas = [shapely.box(0, -4, 3.5, -1), shapely.Point(1, 1).buffer(3), None]
    polygons = memory_vector(areas, {"a": [1, 2, 3]}, crs or "EPSG:32633")
    return data, ((same, first, shifted)[seed % 3], first), polygons


def plain(value: Any) -> Any:
    """JSON that tells -0.0, NaN and types apart."""
    if isinstance(value, (dt.date, dt.datetime, Decimal)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return repr(value)
    return value


def told(result: Any, violations: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(result)
    kept = ("name", "rule", "severity", "status", "checked", "violations", "value", "threshold",
            "excepted")  # fmt: skip
    with np.errstate(all="ignore"):
        places = [None if g is None else shapely.to_wkb(g, hex=True) for g in violations.geometry]
    return plain(
        {
            **{name: fields[name] for name in kept},
            "sample": [{k: v for k, v in s.items() if k != "message"} for s in fields["sample"]],
            "layer": {
                "rows": violations.rows,
                "reasons": list(violations.reasons),
                "geometry": places,
                "measure": violations.measure,
                "unit": violations.unit,
                "part": violations.part,
                "ring": violations.ring,
                "vertex": violations.vertex,
                "keys": None if violations.keys is None else list(violations.keys),
            },
        }
    )


def judged(rules: list[Rule], data: Any, others: Any, key: tuple[str, ...], **plan: Any) -> Any:
    """Results of the rules; those of crs apart, because others are not judged after its failure."""
    answers = []
    for guards in (True, False):
        some = [r for r in rules if (r.rule == "crs") == guards]
        found = asyncio.run(evaluate(some, data, key=key, others=others, plan=Plan(**plan)))
        answers += [told(*answer) for answer in found]
    return answers


def asked_for(rule: Rule) -> int:
    """Number of datasets that a rule compares with; what was written and read back is one, too."""
    return len(rule.others()) or int(rule.rule == "round_trips")


def vectors(seeds: range) -> list[Any]:
    answers = []
    for seed in seeds:
        data, other, unit = layer(seed)

        def others(asked: Rule, other: MemoryVector = other) -> tuple[Any, ...]:
            return (other,) * asked_for(asked)

        key = ("id",) if seed % 2 else ()
        piece = [None, 3, 8][seed % 3]
        answers.append(
            judged(vector_rules(unit), data, others, key, jobs=1 + seed % 2, piece_size=piece)
        )
    return answers


def rasters() -> list[Any]:
    answers = []
    for seed in range(RASTERS):
        data, others, polygons = raster(seed)

        def given(asked: Rule, others: Any = others, polygons: Any = polygons) -> tuple[Any, ...]:
            if asked.rule == "nodata_fraction":
                return (polygons,) if isinstance(asked.within, OtherSource) else ()
            return tuple(others[i % 2] for i in range(asked_for(asked)))

        answers.append(judged(raster_rules(), data, given, (), jobs=1 + seed % 2))
    return answers


def demo() -> dict[str, Any]:
    """Verdicts and violation layers of the demo contracts."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        done = subprocess.run(
            [Path(sys.executable).parent / "spatial-pipeline", "run", "--json"],
            env={**os.environ, "SPATIAL_STORE": str(store), "HOME": folder},
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        found: dict[str, Any] = {}
        for path in sorted(store.glob("*/*/*/verdict.json")):
            dataset, partition = path.parts[-4:-2]
            verdict = json.loads(path.read_text(encoding="utf-8"))
            skipped = ("message", "elapsed_s", "rule_hash", "against")
            results = [{k: v for k, v in r.items() if k not in skipped} for r in verdict["results"]]
            layer = pq.read_table(path.with_name("violations.parquet")).to_pylist()
            found[f"{dataset}/{partition}"] = plain({"results": results, "layer": layer})
        if not found:
            raise SystemExit(done.stderr)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, nargs=2, default=(0, 200), help="seeds")
    parser.add_argument("--only-layers", action="store_true", help="no rasters, no demo")
    asked = parser.parse_args()
    answers = {
        "vectors": vectors(range(*asked.layers)),
        "rasters": [] if asked.only_layers else rasters(),
        "demo": {} if asked.only_layers else demo(),
    }
    text = json.dumps(answers, sort_keys=True, indent=1, ensure_ascii=False)
    asked.out.write_text(text, encoding="utf-8")
    counted: Counter[str] = Counter()
    for answer in (*answers["vectors"], *answers["rasters"]):
        for result in answer:
            counted[f"{result['rule']} {result['status']}"] += 1
    found = sum(r["violations"] for a in (*answers["vectors"], *answers["rasters"]) for r in a)
    print(json.dumps(counted, sort_keys=True, indent=1))
    print(f"{len(text)} bytes, {sum(counted.values())} results, {found} violations,"
          f" {len(answers['demo'])} versions of the demo")  # fmt: skip


if __name__ == "__main__":
    main()

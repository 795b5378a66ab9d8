"""Single random edits of datasets, and whether a contract inferred before the edit notices them.

    python -m spatial_pipeline_tests.edits [--seed N] [--edits N] [--only TEXT] [--whole]

Each source of the demo is copied, profiled and checked (which must pass); then one vertex is moved,
one cell changed or nulled, one row dropped, the axes of one feature or of all are swapped, or one
pixel is changed, and the check must fail. The exact rules of the contract are checked first, as one
that fails is enough; ``--whole`` checks all rules and counts which ones notice.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import math
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import rasterio
import shapely

from spatial_pipeline.contract.load import load
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.contract_inference import infer
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.sample_data import package_folder

VECTOR = ("moved vertex", "changed cell", "dropped row", "swapped axes", "nulled value")
RASTER = ("changed pixel",)


class Layer:
    """A vector layer in memory, of which single features are edited.

    Attributes:
        table: the columns and the geometries as WKB.
        about: CRS, geometry type and the name of the geometry column.

    """

    def __init__(self, about: dict[str, Any], table: pa.Table) -> None:
        self.about, self.table = about, table
        self.geometry = about["geometry_name"] or "wkb_geometry"
        self.names = [n for n in table.column_names if n != self.geometry]
        self.shapes = shapely.from_wkb(table.column(self.geometry).to_numpy(zero_copy_only=False))
        self.extent = float(np.ptp(shapely.total_bounds(self.shapes).reshape(2, 2), axis=0).max())

    @classmethod
    def read(cls, path: str, layer: str | None) -> Layer:
        return cls(*pyogrio.read_arrow(path, layer=layer))

    def write(self, path: Path, table: pa.Table | None = None) -> None:
        path.unlink(missing_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pyogrio.write_arrow(
                self.table if table is None else table, path, driver="GPKG", layer="layer",
                geometry_name=self.geometry, crs=self.about["crs"],
                geometry_type=self.about["geometry_type"],
            )  # fmt: skip

    def edited(self, kind: str, random: np.random.Generator) -> tuple[str, pa.Table] | None:
        """Description of the edit, and the edited table; None when it changes nothing here."""
        row = int(random.integers(len(self.shapes)))
        if kind == "dropped row":
            kept = np.delete(np.arange(len(self.shapes)), row)
            return f"row {row}", self.table.take(pa.array(kept))
        if kind == "moved vertex":
            return self._moved(row, random)
        if kind == "swapped axes":
            rows = [row] if random.random() < 0.7 else list(range(len(self.shapes)))
            swapped = self.shapes.copy()
            swapped[rows] = [shapely.transform(g, lambda xy: xy[:, ::-1]) for g in swapped[rows]]
            return f"{len(rows)} features", self._with_shapes(swapped)
        if not self.names:
            return None
        name = str(random.choice(self.names))
        column = self.table.column(name)
        values = column.to_pylist()
        nulled = kind == "nulled value"
        new = None if nulled else _other(values[row], values, column.type, random)
        if new == values[row] or (isinstance(new, float) and math.isnan(new)):
            return None
        said = f"{name} of row {row}: {values[row]!r} → {new!r}"
        values[row] = new
        place = self.table.schema.get_field_index(name)
        field = pa.field(name, column.type)
        return said, self.table.set_column(place, field, pa.array(values, column.type))

    def _moved(self, row: int, random: np.random.Generator) -> tuple[str, pa.Table] | None:
        shape = self.shapes[row]
        xy = shapely.get_coordinates(shape)
        if not len(xy):
            return None
        at = xy[int(random.integers(len(xy)))]
        size = float(np.ptp(xy, axis=0).max()) or self.extent
        angle, length = random.uniform(0, 2 * math.pi), size * 10 ** random.uniform(-5, -1)
        step = np.array([math.cos(angle), math.sin(angle)]) * length

        def moved(places: Any) -> Any:
            same = (places == at).all(axis=1)
            return np.where(same[:, None], places + step, places)

        shapes = self.shapes.copy()
        shapes[row] = shapely.transform(shape, moved)
        return f"row {row} by {length:.3g}", self._with_shapes(shapes)

    def _with_shapes(self, shapes: Any) -> pa.Table:
        place = self.table.schema.get_field_index(self.geometry)
        wkb = pa.array(shapely.to_wkb(shapes), pa.binary())
        field = self.table.schema.field(place).with_type(pa.binary())
        return self.table.set_column(place, field, wkb)


def _other(value: Any, values: list[Any], kind: pa.DataType, random: np.random.Generator) -> Any:
    """Another value of a column: one that occurs, or one that is near."""
    if random.random() < 0.5:
        return values[int(random.integers(len(values)))]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + int(random.choice([-1, 1, 10]))
    if isinstance(value, float):
        return value + float(random.choice([-1.0, 1.0])) * max(abs(value) * 0.01, 0.01)
    if isinstance(value, str):
        at = int(random.integers(len(value) + 1))
        return value[:at] + str(random.choice(list("x7é"))) + value[at + 1 :]
    if isinstance(value, (dt.date, dt.datetime)):
        return value + dt.timedelta(days=int(random.choice([-1, 1, 400])))
    return value


class Grid:
    """A raster in memory, of which single pixels are edited."""

    def __init__(self, profile: dict[str, Any], values: Any, extra: dict[str, Any]) -> None:
        self.profile, self.values, self.extra = profile, values, extra

    @classmethod
    def read(cls, path: str) -> Grid:
        with rasterio.open(path) as file:
            kept = {"driver": "GTiff", "width": file.width, "height": file.height,
                    "count": file.count, "dtype": file.dtypes[0], "crs": file.crs,
                    "transform": file.transform, "nodata": file.nodata}  # fmt: skip
            return cls(kept, file.read(), {"colorinterp": file.colorinterp})

    def write(self, path: Path, values: Any = None) -> None:
        with rasterio.open(path, "w", **self.profile) as file:
            file.write(self.values if values is None else values)
            file.colorinterp = self.extra["colorinterp"]

    def edited(self, kind: str, random: np.random.Generator) -> tuple[str, Any] | None:
        place = tuple(int(random.integers(n)) for n in self.values.shape)
        old = self.values[place]
        nodata = self.profile["nodata"]
        flat = self.values[place[0]].ravel()
        new = [
            flat[int(random.integers(len(flat)))],
            np.asarray(int(old) + int(random.choice([-1, 1]))).astype(old.dtype),
            old if nodata is None else np.asarray(nodata).astype(old.dtype),
        ][int(random.integers(3))]
        if new == old:
            return None
        values = self.values.copy()
        values[place] = new
        return f"pixel {place}: {old} → {new}", values


def profiled(path: Path, store: Path) -> tuple[Pipeline, Any, list[str]]:
    """The project of a contract that is inferred from a file, and the names of its exact rules."""
    inferred = asyncio.run(infer(Pipeline.of([]), str(path)))
    file = path.with_suffix(".yaml")
    file.write_text(inferred.text(), encoding="utf-8")
    (contract,) = load(file)
    exact = [r.parameters.get("name", r.parameters["rule"]) for r in inferred.exact]
    return replace(Pipeline.of([contract]), store=Store(store)), contract, exact


def failed(pipeline: Pipeline, contract: Any, only: list[str] | None) -> list[str]:
    """Names of the rules that do not pass now."""
    (checked,) = asyncio.run(check_all(pipeline, [(contract, None)], only))
    return [r.name for r, _ in checked.evaluations if not r.passed and r.blocks]


def sources(only: str) -> list[tuple[str, str | None]]:
    from spatial_pipeline_tests.pipeline.test_contract_inference import sources

    return [(u, layer) for u, layer in sources() if only in f"{u} {layer}"]


def run(
    uri: str,
    layer: str | None,
    edits: int,
    seed: int,
    whole: bool,
    say: Callable[[str], None] = print,
) -> tuple[Counter[str], list[str], Counter[str]]:
    """Edits of one source: how many of each kind, those that were missed, and who noticed."""
    found = file_of(uri)
    data = Grid.read(found) if uri.endswith(".tif") else Layer.read(_opened(found), layer)
    kinds = RASTER if isinstance(data, Grid) else VECTOR
    random = np.random.default_rng(seed)
    done: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("copy.tif" if isinstance(data, Grid) else "copy.gpkg")
        data.write(path)
        pipeline, contract, exact = profiled(path, Path(folder) / "store")
        before = failed(pipeline, contract, None)
        if before:
            missed.append(f"fails before any edit: {', '.join(before)}")
        while sum(done.values()) < edits:
            kind = kinds[sum(done.values()) % len(kinds)]
            edit = data.edited(kind, random)
            if edit is None:
                kinds = kinds if kinds == RASTER else (*kinds[1:], kinds[0])
                continue
            said, edited = edit
            done[kind] += 1
            data.write(path, edited)
            names = [] if whole else failed(pipeline, contract, exact)
            names = names or failed(pipeline, contract, None)
            noticed.update(f"{kind}: {n}" for n in names)
            if whole and not set(names) - set(exact):
                noticed[f"{kind}: only exact rules"] += 1
            if not names:
                missed.append(f"{kind}, {said}")
                say(f"MISSED {uri} {layer or ''}: {missed[-1]}")
    return done, missed, noticed


def file_of(uri: str) -> str:
    """Path of ``package://name/path``."""
    package, _, rest = uri.removeprefix("package://").partition("/")
    return str(package_folder(package) / rest)


def _opened(path: str) -> str:
    return f"/vsizip/{path}" if path.endswith(".zip") else path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--only", default="", help="text in the source's name")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    lost = 0
    for uri, layer in sources(options.only):
        began = time.perf_counter()
        done, missed, noticed = run(uri, layer, options.edits, options.seed, options.whole)
        lost += len(missed)
        kinds = ", ".join(f"{n} {kind}" for kind, n in done.items())
        name = Path(uri).name + (f" {layer}" if layer else "")
        took = time.perf_counter() - began
        print(f"{name}: {kinds}; {len(missed)} missed; {took:.0f} s", flush=True)
        if options.whole:
            for what, count in noticed.most_common(12):
                print(f"    {count:4} {what}")
    print("every edit was noticed" if not lost else f"{lost} edits were missed")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

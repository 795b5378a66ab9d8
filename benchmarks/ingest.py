"""Ingest of each format through the product, beside GDAL's reading and an earlier checkout of ours.

    python benchmarks/ingest.py --features 1000000 --pixels 16384 --repeat 3 --before ../earlier

Ours stages in the cage: it reads, compares with the file's own bytes, sorts and writes. The peer
does less: pyogrio reads the file into Arrow and pyarrow writes it, with nothing compared; rasters
are copied by GDAL's COG driver. Each measurement is a process of its own, sides take turns. The
answer is the number of rows, or of pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FORMATS = {
    "GeoJSON": "cells.geojson", "CSV": "cells.csv", "ESRI Shapefile": "cells.shp",
    "GPKG": "cells.gpkg", "FlatGeobuf": "cells.fgb", "Parquet": "cells.parquet",
    "GTiff": "raster.tif",
}  # fmt: skip
RASTERS = {"GTiff"}
BATCH = 100_000


def generate(folder: Path, name: str, features: int, pixels: int) -> None:
    """Writes the source of one format."""
    if name in RASTERS:
        _raster(folder / FORMATS[name], pixels)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyogrio
    import shapely
    from feature_rules import cells

    columns = int(features**0.5) + 1
    polygons = shapely.to_wkb(cells(0, features, columns))
    table = pa.table({
        "id": pa.array(range(features), pa.int32()),
        "value": pa.array([i % 1000 / 1000 for i in range(features)], pa.float64()),
        "name": pa.array([f"parcel {i}" for i in range(features)]),
        "geometry": pa.array(polygons, pa.binary()),
    })  # fmt: skip
    target = folder / FORMATS[name]
    if name == "Parquet":
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {
            "geometry": {"encoding": "WKB", "geometry_types": ["Polygon"]}}}  # fmt: skip
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), target)
        return
    options = {"GEOMETRY": "AS_WKT", "CREATE_CSVT": "YES"} if name == "CSV" else {}
    # GeoJSON is in longitude and latitude, whatever the numbers say.
    crs = "EPSG:4326" if name == "GeoJSON" else "EPSG:32633"
    pyogrio.write_arrow(
        table, target, driver=name, layer="cells", geometry_name="geometry",
        geometry_type="Polygon", crs=crs, **options,
    )  # fmt: skip


def _raster(path: Path, side: int) -> None:
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    random = np.random.default_rng(7)
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="uint16", nodata=0,
        crs="EPSG:32633", tiled=True, compress="deflate", predictor=2,
        transform=(10, 0, 500_000, 0, -10, 5_000_000),
    ) as raster:  # fmt: skip
        for row in range(0, side, 512):
            height = min(512, side - row)
            y, x = np.mgrid[row : row + height, 0:side]
            noise = random.integers(0, 16, y.shape)
            values = (20_000 + 8_000 * np.sin(x / 700) * np.cos(y / 900) + noise).astype(np.uint16)
            raster.write(values, 1, window=Window(0, row, side, height))


def ours(source: Path, name: str) -> tuple[float, int]:
    """Seconds of staging, and the count of the profile."""
    from product import staged

    started = time.perf_counter()
    kind = "raster" if name in RASTERS else "vector"
    pipeline, _, version = staged(source, kind)
    seconds = time.perf_counter() - started
    profile = pipeline.store.profile(version)
    if profile.error is not None:
        raise SystemExit(profile.error)
    count = profile.width * profile.height if kind == "raster" else profile.count
    return seconds, count


def gdal(source: Path, name: str) -> tuple[float, int]:
    """Seconds of reading and writing with nothing compared, and the count."""
    started = time.perf_counter()
    target = source.parent / "peer"
    if name in RASTERS:
        import rasterio
        import rasterio.shutil

        rasterio.shutil.copy(
            str(source), target, driver="COG", compress="zstd", num_threads="all_cpus"
        )
        with rasterio.open(target) as raster:
            return time.perf_counter() - started, raster.width * raster.height
    import pyarrow.parquet as pq
    import pyogrio

    table = pq.read_table(source) if name == "Parquet" else pyogrio.read_arrow(source)[1]
    pq.write_table(table, target, compression="zstd")
    return time.perf_counter() - started, len(table)


SIDES = {"ours": ours, "before": ours, "gdal": gdal}


def _measured(folder: Path, name: str, side: str, before: Path | None) -> dict[str, Any]:
    environment, script = dict(os.environ), Path(__file__)
    if side == "before" and before is not None:
        # The earlier checkout measures itself: modules may have had other names.
        environment["PYTHONPATH"] = str(before)
        script = before / "benchmarks" / script.name
    with TemporaryDirectory(dir=folder) as own:
        # A store of its own: what was staged already would be found again.
        for file in folder.glob(f"{Path(FORMATS[name]).stem}.*"):
            (Path(own) / file.name).hardlink_to(file)
        done = subprocess.run(
            [sys.executable, str(script), "--measure", side, "--formats", name,
             "--source", str(Path(own) / FORMATS[name])],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{side}, {name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures all formats and sides in turns, prints a table, writes JSON beside the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--pixels", type=int, default=16_384)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        seconds, count = SIDES[asked.measure](asked.source, asked.formats[0])
        print(json.dumps({"seconds": seconds, "count": count}))
        return
    sides = [s for s in SIDES if s != "before" or asked.before]
    rows = []
    print(
        f"{'':16}" + "".join(f"{s + ' s':>10}" for s in sides) + f"{'of gdal':>10}{'of before':>11}"
    )
    for name in asked.formats:
        with TemporaryDirectory() as given:
            folder = Path(given)
            generate(folder, name, asked.features, asked.pixels)
            runs: dict[str, list[dict[str, Any]]] = {s: [] for s in sides}
            for _ in range(asked.repeat):
                for side in sides:
                    runs[side].append(_measured(folder, name, side, asked.before))
        counts = {r["count"] for found in runs.values() for r in found}
        if len(counts) != 1:
            raise SystemExit(f"{name}: the sides disagree: {counts}")
        median = {s: statistics.median(r["seconds"] for r in found) for s, found in runs.items()}
        ratios = [median["ours"] / median[s] if s in median else None for s in ("gdal", "before")]
        rows.append({"format": name, "count": counts.pop(), "seconds": median, "of": ratios})
        print(
            f"{name:16}" + "".join(f"{median[s]:>10.2f}" for s in sides)
            + "".join(f"{r:>10.2f}" if r else f"{'':>10}" for r in ratios),
            flush=True,
        )  # fmt: skip
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps({"asked": vars(asked) | {"source": None}, "rows": rows},
                                 indent=1, default=str))  # fmt: skip


if __name__ == "__main__":
    main()

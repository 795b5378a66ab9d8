"""Two files of the same N features in different formats, beside a GeoPandas merge.

    python benchmarks/same_features.py --features 200000 --repeat 3

A GeoPackage and a GeoParquet file; every thousandth feature is moved in the second. Ours is
measured from the staged files on, the peer from its frames: the peer's decoding is not counted.
"""

from __future__ import annotations

from pathlib import Path

import topology_data
import turns


def generate(folder: Path, count: int) -> None:
    """Writes and stages both files."""
    import geopandas as gpd
    import numpy as np
    import shapely
    from product import staged

    topology_data.write(folder / "one.parquet", count, topology_data.buildings(count))
    frame = gpd.read_parquet(folder / "one.parquet")
    frame.to_file(folder / "other.gpkg")
    shapes = frame.geometry.to_numpy().copy()
    moved = np.arange(0, count, 1000)
    shapes[moved] = shapely.transform(shapes[moved], lambda xy: xy + 0.25)
    frame.set_geometry(gpd.GeoSeries(shapes, crs=frame.crs)).to_parquet(folder / "one.parquet")
    staged(folder / "one.parquet")
    staged(folder / "other.gpkg")


def ours(folder: Path, threads: int) -> turns.Measured:
    """Through the engine."""
    from product import checked, staged

    rule = {"rule": "same_features_as", "other": {"uri": str(folder / "other.gpkg")}}
    pipeline, of, version = staged(folder / "one.parquet", key=["id"], rules=[rule])
    _, _, other = staged(folder / "other.gpkg")
    seconds, ((_, found),) = checked(pipeline, of, version, threads, other)
    return seconds, sorted({int(k[0][0]) for k in found.keys})


def geopandas(folder: Path, _threads: int) -> turns.Measured:
    """A merge by the key, and ``geom_equals``; frames are read before the clock starts."""
    import geopandas as gpd

    one = gpd.read_parquet(folder / "one.parquet")
    other = gpd.read_file(folder / "other.gpkg")

    def run() -> list[int]:
        both = one.merge(other, on="id", suffixes=("", "_other"))
        equal = both.geometry.geom_equals(gpd.GeoSeries(both["geometry_other"], crs=one.crs))
        return sorted(both["id"][~equal].tolist())

    return turns.timed(run)


SIDES = {
    "spatial_pipeline": turns.Side(ours, peer=False),
    "geopandas": turns.Side(geopandas),
}

if __name__ == "__main__":
    turns.race(
        Path(__file__), "same_features_as: a GeoPackage and a GeoParquet file of N polygons",
        generate, SIDES, {"geopandas": "5"}, 200_000,
    )  # fmt: skip

"""The feature-scope validity rules on N polygons, beside decoding and ``is_valid`` on two threads.

    python benchmarks/validity.py --features 200000 --repeat 3

Both sides read the same staged file. The answer is the number of invalid polygons (0.1%).
"""

from __future__ import annotations

from pathlib import Path

import topology_data
import turns

RULES = ["not_empty", "finite_coordinates", "valid_geometry"]


def generate(folder: Path, count: int) -> None:
    """Writes and stages the polygons of the topology benchmark, every thousandth a bow-tie."""
    import numpy as np
    import shapely
    from product import staged

    def cells(first: int, number: int) -> np.ndarray:
        made = make(first, number)
        for i in np.flatnonzero(np.arange(first, first + number) % 1000 == 500):
            ring = shapely.get_coordinates(made[i])
            ring[[2, 6]] = ring[[6, 2]]
            made[i] = shapely.polygons(ring)
        return made

    make = topology_data.buildings(count)
    topology_data.write(folder / "cells.parquet", count, cells)
    staged(folder / "cells.parquet")


def ours(folder: Path, threads: int) -> turns.Measured:
    """All rules through the engine."""
    from product import checked, staged

    rules = [{"rule": r} for r in RULES]
    pipeline, of, version = staged(folder / "cells.parquet", key=["id"], rules=rules)
    seconds, found = checked(pipeline, of, version, threads)
    return seconds, sum(r.violations for r, _ in found)


def bare(folder: Path, threads: int) -> turns.Measured:
    """The WKB of the staged file, decoded and asked for ``is_valid`` in threads."""
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow.parquet as pq
    import shapely
    from product import staged

    pipeline, _, version = staged(folder / "cells.parquet")
    path = pipeline.store.data_path(version)
    name = pipeline.store.profile(version).geometry_column

    def group(index: int) -> int:
        wkb = pq.ParquetFile(path).read_row_group(index, [name]).column(0).to_numpy()
        return int((~shapely.is_valid(shapely.from_wkb(wkb))).sum())

    def run() -> int:
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(group, range(pq.ParquetFile(path).num_row_groups)))

    return turns.timed(run)


SIDES = {
    "spatial_pipeline": turns.Side(ours, peer=False),
    "decoding and is_valid": turns.Side(bare, peer=False),
}

if __name__ == "__main__":
    turns.race(
        Path(__file__), "feature-scope validity rules on N polygons", generate, SIDES,
        {"decoding and is_valid": "at least 0.67"}, 200_000,
    )  # fmt: skip

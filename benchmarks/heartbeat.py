"""Worst delay of a task that ticks every 10 ms: alone, and during a full check of polygons."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.run import Pipeline
from spatial_pipeline.runtime import Blocked, Watchdog
from spatial_pipeline.store.versions import Store

TICK = 0.01
RULES = ("valid_geometry", "not_empty", "finite_coordinates", "no_duplicate_geometries",
         "must_not_overlap", "must_not_have_gaps")  # fmt: skip


def polygons(count: int) -> Any:
    """A sheet of ``count`` squares, one in a thousand enlarged so that there is something to say.

    Args:
        count: number of polygons.

    """
    side = int(np.ceil(np.sqrt(count)))
    x, y = np.meshgrid(np.arange(side, dtype=float), np.arange(side, dtype=float))
    x, y = x.ravel()[:count], y.ravel()[:count]
    grown = np.where(np.arange(count) % 1000 == 0, 0.1, 0.0)
    shapes = shapely.segmentize(shapely.box(x, y, x + 1 + grown, y + 1), 0.25)
    return geopandas.GeoDataFrame({"id": np.arange(count)}, geometry=shapes, crs="EPSG:32633")


async def worst(work: Any) -> tuple[float, float]:
    """Worst delay (s) of the heartbeat while ``work`` goes on, and how long that took (s)."""
    delays: list[float] = []

    async def beat() -> None:
        while True:
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            delays.append(time.perf_counter() - due)

    task = asyncio.create_task(beat())
    begun = time.perf_counter()
    await work
    await asyncio.sleep(2 * TICK)
    task.cancel()
    return max(delays), time.perf_counter() - begun


async def measure(pipeline: Pipeline, contract: VectorContract) -> dict[str, Any]:
    """Figures of one idle period and one check of the same length.

    Args:
        pipeline: where the check runs.
        contract: what is checked.

    """
    version = await asyncio.to_thread(pipeline.stage, contract)
    await pipeline.audit(contract, version)
    seen: list[Blocked] = []
    with Watchdog(0.03, seen.append):
        busy, took = await worst(pipeline.audit(contract, version))
    idle, _ = await worst(asyncio.sleep(took))
    return {
        "idle_ms": round(idle * 1e3, 2),
        "checking_ms": round(busy * 1e3, 2),
        "ratio": round(busy / idle, 2),
        "check_s": round(took, 2),
        "blocked_by": [b.culprit for b in seen],
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=200_000)
    count = parser.parse_args().features
    with tempfile.TemporaryDirectory(prefix="spatial-heartbeat-") as name:
        folder = Path(name)
        polygons(count).to_parquet(folder / "sheet.parquet", index=False)
        contract = VectorContract.model_validate(
            {
                "name": "sheet",
                "source": {"uri": str(folder / "sheet.parquet")},
                "key": ["id"],
                "rules": [{"rule": r} for r in RULES],
            }
        )
        pipeline = Pipeline({"sheet": contract}, Store(folder / "store"))
        figures = asyncio.run(measure(pipeline, contract))
    sys.stdout.write(json.dumps({"features": count, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()

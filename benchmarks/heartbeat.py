"""Worst delay of a task that ticks every 10 ms: alone, and during a full check of polygons.

Idle and checking take turns, each idle turn as long as the check before it, so that whatever else
the machine does falls on both. The figure is the ratio of the medians of the worst delays.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import geopandas
import numpy as np
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store

TICK = 0.01
RULES: tuple[dict[str, Any], ...] = (
    {"rule": "crs", "equals": "EPSG:32633"},
    {"rule": "columns", "schema": {"id": "integer"}},
    {"rule": "feature_count", "min": 1},
    {"rule": "geometry_type", "any_of": ["Polygon"]},
    {"rule": "not_null", "columns": ["id"]},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 0},
    {"rule": "valid_geometry"},
    {"rule": "not_empty"},
    {"rule": "finite_coordinates"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_have_gaps"},
)
"""Of the families metadata, validity and topology; :func:`main` adds comparisons."""


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


@dataclass(frozen=True)
class Beats:
    """Delays of the heartbeat over some time.

    Attributes:
        worst_ms: the longest.
        p99_ms: 99 of 100 were shorter.
        held_ms: the longest without the time that the loop's thread only waited for a core, which
            other processes take too; None where the system does not tell.
        at_worst: where the other threads were when the longest of these ended.
        seconds: for how long it was measured.

    """

    worst_ms: float
    p99_ms: float
    held_ms: float | None
    at_worst: list[str]
    seconds: float


async def beats(work: Awaitable[Any]) -> Beats:
    """Delays of a task that ticks every 10 ms while ``work`` goes on."""
    delays: list[float] = []
    held, places = 0.0, list[str]()

    async def beat() -> None:
        nonlocal held, places
        while True:
            waited, due = _queued(), time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            delays.append(time.perf_counter() - due)
            late = delays[-1] - (_queued() - waited)
            if late > held:
                held, places = late, _elsewhere()

    task = asyncio.create_task(beat())
    begun = time.perf_counter()
    await work
    await asyncio.sleep(2 * TICK)
    task.cancel()
    return Beats(
        worst_ms=round(max(delays) * 1e3, 2),
        p99_ms=round(float(np.percentile(delays, 99)) * 1e3, 2),
        held_ms=round(held * 1e3, 2) if math.isfinite(_queued()) else None,
        at_worst=places,
        seconds=round(time.perf_counter() - begun, 2),
    )


def _queued() -> float:
    """Seconds that this thread has waited for a core so far."""
    try:
        told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    except OSError:
        return math.nan
    return int(told.split()[1]) / 1e9


def _elsewhere() -> list[str]:
    """Innermost frames of the other threads that are at work."""
    places = []
    for ident, innermost in sys._current_frames().items():  # noqa: SLF001
        if ident == threading.get_ident():
            continue
        frame: FrameType | None = innermost
        told: list[str] = []
        while frame is not None and len(told) < 4:
            code = frame.f_code
            told.append(f"{Path(code.co_filename).name}:{frame.f_lineno} {code.co_name}")
            frame = frame.f_back
        if not told[0].endswith(("_serve", "wait", "_worker", "_watch")):
            places.append(" < ".join(told))
    return places


@contextlib.contextmanager
def cores_busy(threads: int) -> Iterator[None]:
    """Threads that compute without the GIL: what the machine alone makes of a busy check."""
    stop = threading.Event()
    block = bytes(1 << 20)

    def burn() -> None:
        while not stop.is_set():
            hashlib.sha256(block).digest()

    burning = [threading.Thread(target=burn) for _ in range(threads)]
    for thread in burning:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in burning:
            thread.join()


async def measure(pipeline: Pipeline, contract: VectorContract, turns: int) -> dict[str, Any]:
    """Figures of some checks, and of as long a time with no work and with work of other threads.

    Args:
        pipeline: where the checks run.
        contract: what is checked.
        turns: checks; each is a measurement of its own.

    """
    version = await asyncio.to_thread(pipeline.stage, contract)
    await pipeline.audit(contract, version)
    taken: dict[str, list[Beats]] = {"idle": [], "cores_busy_without_gil": [], "checking": []}
    for _ in range(turns):
        busy = await beats(pipeline.audit(contract, version))
        taken["checking"].append(busy)
        taken["idle"].append(await beats(asyncio.sleep(busy.seconds)))
        with cores_busy(pipeline.jobs):
            taken["cores_busy_without_gil"].append(await beats(asyncio.sleep(busy.seconds)))
    worst = {name: statistics.median(b.worst_ms for b in some) for name, some in taken.items()}
    return {
        "worst_ms": worst,
        "worst_over_idle": round(worst["checking"] / worst["idle"], 2),
        "worst_over_cores_busy": round(worst["checking"] / worst["cores_busy_without_gil"], 2),
        "turns": {name: [asdict(b) for b in some] for name, some in taken.items()},
    }


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=200_000)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    count = arguments.features
    with tempfile.TemporaryDirectory(prefix="spatial-heartbeat-") as name:
        folder = Path(name)
        sheet, same = folder / "sheet.parquet", folder / "same.fgb"
        polygons(count).to_parquet(sheet, index=False)
        polygons(count).to_file(same)
        comparisons = [
            {"rule": rule, "other": {"uri": str(same)}}
            for rule in ("must_be_covered_by", "same_features_as")
        ]
        contract = VectorContract.model_validate(
            {
                "name": "sheet",
                "source": {"uri": str(sheet)},
                "key": ["id"],
                "rules": [*RULES, *comparisons],
            }
        )
        pipeline = Pipeline({"sheet": contract}, Store(folder / "store"))
        figures = asyncio.run(measure(pipeline, contract, arguments.turns))
    sys.stdout.write(json.dumps({"features": count, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""One piece of data, loaded once and shown to all rules that want it, on whatever machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from spatial_pipeline.check.base import BatchCheck, TileCheck, TileComparisonCheck
from spatial_pipeline.check.task import Task
from spatial_pipeline.check.vector_pieces import Cut, selected
from spatial_pipeline.check.workers import Workers
from spatial_pipeline.errors import RuleError
from spatial_pipeline.pieces import FeatureBatch, RasterData, Tile


async def see_features(
    cut: Cut, index: int, tasks: Sequence[Task], columns: tuple[str, ...], workers: Workers
) -> None:
    """Piece ``index`` of a vector version; every task keeps its partial result or fails."""
    live = [t for t in tasks if t.alive]
    halos = [t.check.halo() for t in live if isinstance(t.check, TileCheck)]
    geometry = any(not isinstance(t.check, BatchCheck) or t.check.needs_geometry for t in live)

    def load() -> Tile:
        owned = cut.owned(index, columns)
        if geometry:
            _ = owned.geometry
        return Tile(owned, len(owned))

    def load_halo() -> Tile:
        return cut.tile(alone.features, max(halos), columns)

    if not live:
        return
    try:
        alone, _ = await workers.run(load)
        tile = (await workers.run(load_halo))[0] if halos else alone
    except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
        for task in live:
            task.fail(f"piece {index} cannot be read: {exc}")
        return
    await asyncio.gather(*(t.step(workers, index, partial(_see, t, alone, tile)) for t in live))


async def see_pixels(
    data: RasterData,
    index: int,
    window: tuple[int, int, int, int],
    tasks: Sequence[Task],
    workers: Workers,
) -> None:
    """Window ``index`` of a raster; every task keeps its partial result or fails."""
    live = [t for t in tasks if t.alive]
    if not live:
        return
    try:
        pixels, _ = await workers.run(partial(data.read, *window))
    except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
        for task in live:
            task.fail(f"window {window} cannot be read: {exc}")
        return
    await asyncio.gather(*(t.step(workers, index, partial(t.check.map, pixels)) for t in live))


def _see(task: Task, alone: Tile, tile: Tile) -> Any:
    """What one rule makes of one piece, in a worker thread."""
    check = task.check
    if isinstance(check, BatchCheck):
        return check.map(selected(alone, task.rule.where).features)
    if isinstance(check, TileCheck):
        return check.map(selected(tile, task.rule.where))
    if not isinstance(check, TileComparisonCheck):
        msg = f"{type(check).__name__} sees no vector pieces"
        raise RuleError(msg)
    owned: FeatureBatch = selected(alone, task.rule.where).features
    return check.map(owned, task.surroundings().near(owned, check.halo(), check.other_columns()))


__all__ = ["see_features", "see_pixels"]

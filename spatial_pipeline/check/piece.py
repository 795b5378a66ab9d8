"""One piece of data, loaded once and shown to all rules that want it, on whatever machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, TileCheck, TileComparisonCheck
from spatial_pipeline.check.filters import mask
from spatial_pipeline.check.recall import Memory, NeighbourCheck
from spatial_pipeline.check.task import Task
from spatial_pipeline.check.vector_pieces import Cut, selected
from spatial_pipeline.check.workers import Workers
from spatial_pipeline.errors import RuleError
from spatial_pipeline.pieces import FeatureBatch, RasterData, Tile


@dataclass(frozen=True)
class Shown:
    """A piece as tasks see it.

    Attributes:
        number: of the piece.
        alone: all features that it owns.
        tile: the same with a halo, as wide as the tasks that look at all of them want it.
        some: the features that a task looks at which knows the others from an earlier version.
        places: (k,) ascending places of these in the piece.

    """

    number: int
    alone: Tile
    tile: Tile
    some: FeatureBatch
    places: NDArray[np.int64]


async def see_features(
    cut: Cut, index: int, tasks: Sequence[Task], columns: tuple[str, ...], workers: Workers
) -> None:
    """Piece ``index`` of a vector version; every task keeps its partial result or fails."""
    live = [t for t in tasks if t.alive]
    knowing = [t for t in live if t.memory is not None and t.memory.known is not None]
    others = [t for t in live if t not in knowing]
    halos = [t.check.halo() for t in others if isinstance(t.check, TileCheck)]

    def load() -> tuple[FeatureBatch, FeatureBatch, NDArray[np.int64]]:
        owned = cut.owned(index, columns)
        if any(map(_wants_geometry, others)):
            _ = owned.geometry
        wanted = np.zeros(len(owned), dtype=bool)
        for task in knowing:
            wanted |= cast("Memory", task.memory).unknown(owned.positions)
        places = np.flatnonzero(wanted)
        some = owned if len(places) == len(owned) else owned.take(places)
        if any(map(_wants_geometry, knowing)):
            _ = some.geometry
        return owned, some, places

    if not live:
        return
    try:
        (owned, some, places), _ = await workers.run(load)
        alone = tile = Tile(owned, len(owned))
        if halos:
            tile, _ = await workers.run(partial(cut.tile, owned, max(halos), columns))
    except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
        for task in live:
            task.fail(f"piece {index} cannot be read: {exc}")
        return
    shown = Shown(index, alone, tile, some, places)
    around = partial(cut.tile, columns=columns)
    await asyncio.gather(*(t.step(workers, index, partial(_see, t, shown, around)) for t in live))


def _wants_geometry(task: Task) -> bool:
    return not isinstance(task.check, BatchCheck) or task.check.needs_geometry


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


def _see(task: Task, shown: Shown, around: Callable[[FeatureBatch, float], Tile]) -> Any:
    """What one rule makes of one piece, in a worker thread."""
    memory = task.memory
    if memory is None:
        return _mapped(task, shown.alone, shown.tile)
    owned, condition = shown.alone.features, task.rule.where
    kept = np.ones(len(owned), bool) if condition is None else mask(owned.table, condition)
    unknown = memory.unknown(owned.positions)
    seen = np.flatnonzero(unknown & kept)
    if memory.known is None:
        batch = owned if len(seen) == len(owned) else owned.take(seen)
    else:
        batch = shown.some.take(np.searchsorted(shown.places, seen))
    tile = Tile(batch, len(batch))
    if isinstance(task.check, TileCheck):
        tile = shown.tile if len(seen) == len(owned) else around(batch, task.check.halo())
    if memory.known is not None and isinstance(task.check, NeighbourCheck):
        value = task.check.look(batch, memory.familiar(batch.positions))
    else:
        value = _mapped(task, tile, tile, selects=False)
    memory.learn(shown.number, owned.positions, seen, task.check.facts(batch, value))
    if memory.known is None:
        return value
    recalled = owned.positions[~unknown & kept]
    return task.check.recalled(value, recalled, memory.known.take(recalled))


def _mapped(task: Task, alone: Tile, tile: Tile, *, selects: bool = True) -> Any:
    """What the check of a rule makes of features, those that its condition selects or all."""
    check, condition = task.check, task.rule.where if selects else None
    if isinstance(check, BatchCheck):
        return check.map(selected(alone, condition).features)
    if isinstance(check, TileCheck):
        return check.map(selected(tile, condition))
    if not isinstance(check, TileComparisonCheck):
        msg = f"{type(check).__name__} sees no vector pieces"
        raise RuleError(msg)
    owned: FeatureBatch = selected(alone, condition).features
    return check.map(owned, task.surroundings().near(owned, check.halo(), check.other_columns()))


__all__ = ["see_features", "see_pixels"]

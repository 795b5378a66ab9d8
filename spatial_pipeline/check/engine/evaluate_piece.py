"""Evaluates all rules on one piece of data, loaded once, on any machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, TileCheck, TileComparisonCheck
from spatial_pipeline.check.engine.partitioning import Partitioning, selected
from spatial_pipeline.check.engine.rule_run import RuleRun
from spatial_pipeline.check.incremental.feature_cache import FeatureCache, NeighbourCheck
from spatial_pipeline.check.join.where_filter import mask
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch, Tile
from spatial_pipeline.model.readers import RasterReader
from spatial_pipeline.runtime.workers import Workers


@dataclass(frozen=True)
class Shown:
    """A piece as the rule runs see it.

    Attributes:
        number: of the piece.
        alone: all features that it owns.
        tile: the same with a halo, as wide as the rule runs that evaluate all features need it.
        some: the features that a rule run evaluates when the others are in its feature cache.
        near: the same for rule runs that compare neighbours.

    """

    number: int
    alone: Tile
    tile: Tile
    some: PieceSubset
    near: PieceSubset


@dataclass(frozen=True)
class PieceSubset:
    """Some features of a piece, and their ascending places in it."""

    features: FeatureBatch
    places: NDArray[np.int64]

    @classmethod
    def of(cls, owned: FeatureBatch, tasks: Sequence[RuleRun]) -> Self:
        """The features that one of these rule runs does not know."""
        wanted = np.zeros(len(owned), dtype=bool)
        for task in tasks:
            wanted |= cast("FeatureCache", task.memory).unknown(owned.positions)
        places = np.flatnonzero(wanted)
        part = cls(owned if len(places) == len(owned) else owned.take(places), places)
        if any(map(_wants_geometry, tasks)):
            _ = part.features.geometry
        return part


async def see_features(
    cut: Partitioning,
    index: int,
    tasks: Sequence[RuleRun],
    columns: tuple[str, ...],
    workers: Workers,
) -> None:
    """Evaluates piece ``index`` of a vector version; each rule run keeps a partial result or fails.

    Args:
        cut: partitioning of the version.
        index: number of the piece.
        tasks: the rules.
        columns: attribute columns that they need.
        workers: worker threads.

    """
    live = [t for t in tasks if t.alive]
    knowing = [t for t in live if t.memory is not None and t.memory.known is not None]
    others = [t for t in live if t not in knowing]
    halos = [t.check.halo() for t in others if isinstance(t.check, TileCheck)]

    def load() -> tuple[FeatureBatch, PieceSubset, PieceSubset]:
        owned = cut.owned(index, columns)
        if any(map(_wants_geometry, others)):
            _ = owned.geometry
        beside = [t for t in knowing if isinstance(t.check, NeighbourCheck)]
        alone = [t for t in knowing if t not in beside]
        return owned, PieceSubset.of(owned, alone), PieceSubset.of(owned, beside)

    if not live:
        return
    try:
        (owned, some, near), _ = await workers.run(load)
        alone = tile = Tile(owned, len(owned))
        if halos:
            tile, _ = await workers.run(partial(cut.tile, owned, max(halos), columns))
    except Exception as exc:  # noqa: BLE001 - whatever it is, every rule must say it
        for task in live:
            task.fail(f"piece {index} cannot be read: {exc}")
        return
    shown = Shown(index, alone, tile, some, near)
    around = partial(cut.tile, columns=columns)
    await asyncio.gather(*(t.step(workers, index, partial(_see, t, shown, around)) for t in live))


def _wants_geometry(task: RuleRun) -> bool:
    return getattr(task.check, "needs_geometry", True)


async def see_pixels(
    data: RasterReader,
    index: int,
    window: tuple[int, int, int, int],
    tasks: Sequence[RuleRun],
    workers: Workers,
) -> None:
    """Evaluates window ``index`` of a raster; every rule run keeps its partial result or fails."""
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


def _see(task: RuleRun, shown: Shown, around: Callable[[FeatureBatch, float], Tile]) -> Any:
    """Evaluates one rule on one piece, in a worker thread."""
    memory = task.memory
    if memory is None:
        return _mapped(task, shown.alone, shown.tile)
    owned, condition, check = shown.alone.features, task.rule.where, task.check
    kept = np.ones(len(owned), bool) if condition is None else mask(owned.table, condition)
    unknown = memory.unknown(owned.positions)
    if memory.known is not None and isinstance(check, NeighbourCheck):
        # The same batch for all of them: values cached by one rule are reused by the next.
        seen, batch = shown.near.places, shown.near.features
        unknown[seen] = True
        value = check.look(batch, memory.known.take(batch.positions).kinds)
    else:
        seen = np.flatnonzero(unknown & kept)
        if memory.known is not None:
            batch = shown.some.features.take(np.searchsorted(shown.some.places, seen))
        else:
            batch = owned if len(seen) == len(owned) else owned.take(seen)
        tile = Tile(batch, len(batch))
        if isinstance(check, TileCheck):
            # Only rule runs that know nothing yet have widened the tile that is shown.
            whole = memory.known is None and len(seen) == len(owned)
            tile = shown.tile if whole else around(batch, check.halo())
        value = _mapped(task, tile, tile, selects=False)
    memory.learn(shown.number, owned.positions, seen, check.facts(batch, value))
    if memory.known is None:
        return value
    recalled = owned.positions[~unknown & kept]
    return check.recalled(value, recalled, memory.known.take(recalled))


def _mapped(task: RuleRun, alone: Tile, tile: Tile, *, selects: bool = True) -> Any:
    """The partial result of a rule on the features that its condition selects, or on all."""
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

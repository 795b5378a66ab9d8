"""How much of the work may be in memory at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence

from spatial_pipeline.model.readers import RasterReader, VectorReader

PIECE = 8192
"""Features a piece, at most: whatever looks at a whole one keeps the GIL for a few ms only."""
PIECE_BYTES = 8 << 20
"""Staged bytes a piece, at most, for the same reason."""
WORKING = 16
"""Bytes at work for each staged byte of features: 9 for validity, 17 for topology, as measured."""
WORKING_ALONE = 2
"""Bytes at work for each staged byte of a column that a check reads by itself."""
WORKING_PIXELS = 4
"""Bytes at work for each byte of pixels read: values, mask, and what rules make of them."""


class MemoryBudget:
    """A bound on the bytes in flight on one event loop; whoever comes first goes first.

    Attributes:
        total: bytes; None is without bound.
        held: bytes that are taken.

    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.held = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Waits until there is room for ``size`` bytes; what exceeds the whole runs alone."""
        async with self._turn:
            while self.total is not None and self.held and self.held + size > self.total:
                self._freed.clear()
                await self._freed.wait()
            self.held += size
        try:
            yield
        finally:
            self.held -= size
            self._freed.set()


def features_a_piece(row_bytes: float, memory: int | None, in_flight: int) -> int:
    """Features of which ``in_flight`` pieces fit into memory, at least 1 and at most PIECE.

    Args:
        row_bytes: staged bytes a feature.
        memory: bytes for all pieces in flight; None is without bound.
        in_flight: pieces at once.

    """
    room = PIECE_BYTES if memory is None else min(PIECE_BYTES, memory // (WORKING * in_flight))
    return max(1, min(PIECE, int(room / max(row_bytes, 1.0))))


def piece_bytes(
    data: VectorReader,
    columns: Sequence[str],
    rows: int,
    others: Iterable[VectorReader] = (),
    besides: Collection[str] = (),
) -> int:
    """Bytes at work that a piece is expected to need, with its share of what it is compared with.

    Args:
        data: the version.
        columns: attribute columns that are read.
        rows: features of the piece.
        others: versions that it is compared with by place.
        besides: columns that checks read by themselves.

    """
    share = rows / max(data.profile.count, 1)
    shown = data.row_bytes(columns)
    alone = rows * (data.row_bytes((*columns, *besides)) - shown)
    staged = rows * shown + sum(share * o.profile.count * o.row_bytes(()) for o in others)
    return int(staged * WORKING + alone * WORKING_ALONE)


def window_bytes(data: RasterReader, height: int, width: int) -> int:
    """Bytes at work that a window of pixels is expected to need."""
    sizes = (_ITEM_BYTES.get(b.data_type, 8) + 1 for b in data.profile.bands)
    return height * width * sum(sizes) * WORKING_PIXELS


_ITEM_BYTES = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2,
               "uint32": 4, "int32": 4, "float32": 4, "complex128": 16}  # fmt: skip


async def in_lanes(works: Iterable[Callable[[], Awaitable[None]]], lanes: int) -> None:
    """Awaits every work in order, so many at once; what did not begin is never made.

    A task for each of thousands of pieces would keep the loop busy at the start, and leave behind
    coroutines that were never awaited when it is cancelled.
    """
    waiting = iter(works)

    async def lane() -> None:
        for work in waiting:
            await work()

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())


__all__ = ["MemoryBudget", "features_a_piece", "in_lanes", "piece_bytes", "window_bytes"]

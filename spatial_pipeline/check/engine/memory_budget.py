"""Byte-weighted semaphore that bounds the memory of pieces in flight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence

from spatial_pipeline.model.readers import RasterReader, VectorReader

PIECE = 8192
"""Maximum features per piece: work on a whole piece keeps the GIL for a few ms only."""
PIECE_BYTES = 8 << 20
"""Maximum staged bytes per piece, for the same reason."""
WORKING = 16
"""Working bytes per staged byte of features: measured 9 for validity, 17 for topology."""
WORKING_ALONE = 2
"""Working bytes per staged byte of a column that a check reads itself."""
WORKING_PIXELS = 4
"""Working bytes per byte of pixels read: values, mask, and temporaries of rules."""


class MemoryBudget:
    """A bound on the bytes in flight on one event loop; first come, first served.

    Attributes:
        total: bytes; None means no bound.
        held: bytes in use.

    """

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.held = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Waits until ``size`` bytes are free; a larger request than the total runs alone."""
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
    """Features per piece so that ``in_flight`` pieces fit into memory; from 1 to PIECE.

    Args:
        row_bytes: staged bytes per feature.
        memory: bytes for all pieces in flight; None means no bound.
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
    """Estimated working bytes of a piece, including its share of the comparison data.

    Args:
        data: the version.
        columns: attribute columns that are read.
        rows: features of the piece.
        others: versions that it is compared with by location.
        besides: columns that checks read by themselves.

    """
    share = rows / max(data.profile.count, 1)
    shown = data.row_bytes(columns)
    alone = rows * (data.row_bytes((*columns, *besides)) - shown)
    staged = rows * shown + sum(share * o.profile.count * o.row_bytes(()) for o in others)
    return int(staged * WORKING + alone * WORKING_ALONE)


def window_bytes(data: RasterReader, height: int, width: int) -> int:
    """Estimated working bytes of a window of pixels."""
    sizes = (_ITEM_BYTES.get(b.data_type, 8) + 1 for b in data.profile.bands)
    return height * width * sum(sizes) * WORKING_PIXELS


_ITEM_BYTES = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2,
               "uint32": 4, "int32": 4, "float32": 4, "complex128": 16}  # fmt: skip


async def in_lanes(works: Iterable[Callable[[], Awaitable[None]]], lanes: int) -> None:
    """Awaits all works in order, with bounded concurrency; creates each only when it starts.

    A task for each of thousands of pieces would keep the loop busy at the start, and leave
    coroutines that were never awaited on cancellation.
    """
    waiting = iter(works)

    async def lane() -> None:
        for work in waiting:
            await work()

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())


__all__ = ["MemoryBudget", "features_a_piece", "in_lanes", "piece_bytes", "window_bytes"]

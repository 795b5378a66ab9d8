from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest
import shapely

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.memory_budget import (
    PIECE,
    PIECE_BYTES,
    WORKING,
    MemoryBudget,
    features_a_piece,
    in_lanes,
    piece_bytes,
    window_bytes,
)
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline_tests.support import memory_raster, memory_vector


@pytest.mark.parametrize("total", [10, 25, None])
def test_no_more_bytes_at_once_than_the_bound_and_the_large_run_alone(total: int | None) -> None:
    chance = random.Random(1)
    held: list[int] = []
    most, alone = 0, True

    async def work(room: MemoryBudget, size: int) -> None:
        nonlocal most, alone
        async with room.taken(size):
            held.append(size)
            assert room.held == sum(held)
            most = max(most, sum(s for s in held if s <= 10))
            alone = alone and (size <= 10 or len(held) == 1)
            await asyncio.sleep(chance.uniform(0, 0.002))
            held.remove(size)

    async def main() -> int:
        room = MemoryBudget(total)
        await asyncio.gather(*(work(room, chance.choice([1, 3, 9, 40])) for _ in range(60)))
        return room.held

    assert asyncio.run(main()) == 0
    if total is None:
        assert most > 25
    else:
        assert most <= total
        assert alone


def test_whoever_comes_first_goes_first() -> None:
    order: list[int] = []

    async def work(room: MemoryBudget, i: int, size: int) -> None:
        async with room.taken(size):
            order.append(i)
            await asyncio.sleep(0.001)

    async def main() -> None:
        room = MemoryBudget(10)
        await asyncio.gather(*(work(room, i, s) for i, s in enumerate([6, 100, 1, 6, 1])))

    asyncio.run(main())
    assert order == [0, 1, 2, 3, 4]


def test_who_gives_up_waiting_holds_nothing() -> None:
    async def main() -> int:
        room = MemoryBudget(10)
        async with room.taken(10):
            waiting = [asyncio.create_task(room.taken(5).__aenter__()) for _ in range(3)]
            await asyncio.sleep(0)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        async with room.taken(10):
            return room.held

    assert asyncio.run(main()) == 10


def test_pieces_follow_from_memory_and_threads() -> None:
    assert features_a_piece(1, None, 3) == PIECE
    assert features_a_piece(PIECE_BYTES, None, 3) == 1
    assert features_a_piece(PIECE_BYTES * 10, None, 3) == 1
    assert features_a_piece(0, 1, 3) == 1
    assert features_a_piece(100, WORKING * 3 * 100 * 50, 3) == 50
    assert features_a_piece(100, WORKING * 3 * 100 * 50, 6) == 25


def test_what_a_piece_needs() -> None:
    data = memory_vector([shapely.Point(i, i) for i in range(10)])
    twice = memory_vector([shapely.Point(i, i) for i in range(20)])
    alone = piece_bytes(data, (), 5)
    assert alone == int(5 * data.row_bytes(()) * WORKING)
    assert alone > 5 * 21 * WORKING
    both = piece_bytes(data, (), 5, [twice])
    assert both == int((5 * data.row_bytes(()) + 10 * twice.row_bytes(())) * WORKING)
    raster = memory_raster(np.zeros((2, 8, 8), dtype=np.uint16))
    assert window_bytes(raster, 8, 8) == 8 * 8 * 2 * (2 + 1) * 4


def test_memory_decides_how_a_version_is_cut() -> None:
    data = memory_vector([shapely.Point(i, i) for i in range(1000)])
    seen: list[int] = []

    def pieces(memory: int | None) -> int:
        plan = Plan(jobs=1, memory=memory)
        asyncio.run(evaluate([NotEmpty()], data, plan=plan, progress=lambda _, n: seen.append(n)))
        return seen[-1]

    assert pieces(None) == 1
    need = piece_bytes(data, (), 1000)
    assert pieces(2 * need) == 1
    assert 4 <= pieces(need // 2) <= 5
    assert pieces(1) == 1000


def test_lanes_keep_the_order_and_make_nothing_early() -> None:
    begun: list[int] = []
    running, most = 0, 0

    async def work(i: int) -> None:
        nonlocal running, most
        begun.append(i)
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.0005 * (i % 3))
        running -= 1

    asyncio.run(in_lanes(((lambda i=i: work(i)) for i in range(20)), 3))
    assert begun == list(range(20))
    assert most == 3


def test_an_error_in_a_lane_begins_nothing_more() -> None:
    begun: list[int] = []

    async def work(i: int) -> None:
        begun.append(i)
        await asyncio.sleep(0)
        if i == 4:
            raise ValueError

    with pytest.raises(ExceptionGroup):
        asyncio.run(in_lanes(((lambda i=i: work(i)) for i in range(20)), 2))
    assert len(begun) < 8

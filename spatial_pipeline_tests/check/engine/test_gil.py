from __future__ import annotations

import asyncio
import gc
import sys

import pytest

from spatial_pipeline.check.engine.gil import SWITCH_INTERVAL, responsive


def test_the_collector_rests_and_threads_take_turns_until_the_last_block_ends() -> None:
    interval = sys.getswitchinterval()
    with responsive():
        with responsive():
            assert not gc.isenabled()
        assert not gc.isenabled()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.isenabled()
    assert sys.getswitchinterval() == pytest.approx(interval)


def test_what_was_set_otherwise_stays_so() -> None:
    interval = sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(SWITCH_INTERVAL / 2)
    try:
        with responsive():
            assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL / 2)
        assert not gc.isenabled()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL / 2)
    finally:
        sys.setswitchinterval(interval)
        gc.enable()


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_an_error_restores_them(error: type[BaseException]) -> None:
    with pytest.raises(error), responsive():
        raise error
    assert gc.isenabled()


def test_what_was_made_meanwhile_is_not_looked_at_by_whoever_leaves() -> None:
    assert gc.get_freeze_count() == 0, "somebody left frozen objects behind in this process"
    begun: list[int] = []

    def noted(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            begun.append(info["generation"])

    with responsive():
        made = [[] for _ in range(5000)]
        gc.callbacks.append(noted)
    try:
        several = [[] for _ in range(50)]
    finally:
        gc.callbacks.remove(noted)
    assert gc.isenabled()
    assert (begun, len(made), len(several)) == ([], 5000, 50)
    assert any(o is made for o in gc.get_objects(generation=2))


def test_what_somebody_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with responsive():
            pass
        assert gc.get_freeze_count() > 0.9 * before > 0
    finally:
        gc.unfreeze()

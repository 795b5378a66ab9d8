"""Freed memory is given back where that can be done, and nothing happens where it cannot."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from spatial_pipeline import heap


def test_arrow_keeps_nothing_that_nobody_uses() -> None:
    held = pa.array(range(100_000))
    before = pa.total_allocated_bytes()
    heap.give_back()
    assert pa.total_allocated_bytes() == before
    assert len(held) == 100_000


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def none(_: Any) -> None:
        raise error

    monkeypatch.setattr(heap.ctypes, "CDLL", none)
    heap.give_back()

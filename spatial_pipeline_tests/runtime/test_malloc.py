"""Freed memory is given back where that can be done, and nothing happens where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest

from spatial_pipeline.runtime import malloc


def test_arrow_keeps_nothing_that_nobody_uses() -> None:
    held = pa.array(range(100_000))
    before = pa.total_allocated_bytes()
    malloc.give_back()
    assert pa.total_allocated_bytes() == before
    assert len(held) == 100_000


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, error: Any) -> None:
    def none(_: Any) -> None:
        raise error

    monkeypatch.setattr(malloc.ctypes, "CDLL", none)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    malloc.give_back()
    malloc.keep_arrays()


@pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")
def test_arrays_of_the_same_size_take_the_same_pages_again() -> None:
    """In a process of its own: the C library's thresholds cannot be set back."""
    program = (
        "import resource, sys, threading\n"
        "import numpy as np\n"
        "from spatial_pipeline.runtime import malloc as heap\n"
        "def fill():\n"
        "    for _ in range(50):\n"
        "        np.ones(8 << 20, dtype=np.uint8)\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    thread = threading.Thread(target=fill)\n"
        "    thread.start(), thread.join()\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "before = faults()\n"
        "heap.keep_arrays()\n"
        "faults()\n"  # touches pages for the first time: how many, the kernel's huge pages decide
        "kept = sorted(faults() for _ in range(5))[2]\n"  # a thread may begin with a new heap
        "heap.give_back()\n"
        "print(before, kept)\n"
    )
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True, timeout=120, env=environment,
    )  # fmt: skip
    before, kept = map(int, done.stdout.split())
    print(before, kept)
    assert kept < before / 4

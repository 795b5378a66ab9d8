"""Facts that checks leave behind while others do the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from spatial_pipeline.store import check_cache

CHECKS = [f"check_{i}" for i in range(8)]


def test_checks_that_end_together_all_leave_something_behind(tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        for turn in range(60):
            facts = {"a": np.array([turn])}
            list(pool.map(lambda n, f=facts: check_cache.remember(tmp_path, n, "w", f), CHECKS))
            for name in CHECKS:
                found = check_cache.recalled(tmp_path, name, "w")
                assert found is not None
                assert found["a"].tolist() == [turn]
    assert {p.name for p in (tmp_path / check_cache.FOLDER).iterdir()} == {
        f"{name}.npz" for name in CHECKS
    }

"""Every format with a fixed seed: no file is staged otherwise than it says without a word."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from spatial_pipeline_tests.fuzz import harness

FILES = 200


@pytest.mark.parametrize("name", list(harness.formats()))
@pytest.mark.filterwarnings("ignore")
def test_staged_equals_the_file_or_the_defect_is_named(name: str, tmp_path: Path) -> None:
    module = import_module(f"spatial_pipeline_tests.fuzz.{name}")
    report = harness.run(module, range(FILES), tmp_path)
    assert report.failures == []
    assert report.ends["sound: equal"] > FILES / 10
    assert report.ends[harness.NAMED] > FILES / 10

"""The examples of docs/async-testing.md do what the page says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import geopandas
import pytest
import shapely

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "async-testing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?P<before>[^`]*)```python\n(?P<code>.*?)```", re.DOTALL)
RED = re.compile(r'Red,\s+"([^"]+)":\s*$')


def examples() -> list[tuple[str, str]]:
    """(words of the failure, empty for none; code) of every example."""
    found = []
    for block in BLOCK.finditer(PAGE):
        red = RED.search(block["before"])
        found.append(("" if red is None else " ".join(red[1].split()), block["code"]))
    return found


def test_the_page_has_three_failure_modes() -> None:
    assert [bool(words) for words, _ in examples()] == [False, *[True, False] * 3]


@pytest.mark.parametrize("index", range(7))
def test_an_example_does_what_the_page_says(index: int, tmp_path: Path) -> None:
    words, code = examples()[index]
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n", encoding="utf-8")
    (tmp_path / "test_example.py").write_text(code, encoding="utf-8")
    counties = geopandas.GeoDataFrame(
        {"geoid": ["08001"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4326"
    )
    counties.to_file(tmp_path / "counties.gpkg")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "spatial_pipeline.pytest_plugin", "-q", "."],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == (1 if words else 0), said
    assert words in said

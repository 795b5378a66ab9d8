"""The tutorials, as they are printed, apart from a port."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline_tests.tutorial import Tutorial

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["schedules", "schema-backfills", "alerts"])
def test_a_tutorial_does_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPATIAL_STORE", raising=False)
    with Tutorial(FOLDER / f"{name}.md", tmp_path) as tutorial:
        assert tutorial.run() >= 8


def test_every_tutorial_is_run() -> None:
    assert {p.stem for p in FOLDER.glob("*.md")} == {"schedules", "schema-backfills", "alerts"}

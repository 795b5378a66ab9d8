"""Each mistake in ``mistakes.py`` is told with its place, the right spelling and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline_tests.mistakes import SLIPS, Slip, data, message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mistakes")
    data(path)
    return path


def test_there_are_fifty_and_no_two_of_one_name() -> None:
    names = [s.name for s in SLIPS]
    assert len(set(names)) == len(names) >= 50


@pytest.mark.parametrize("slip", SLIPS, ids=lambda s: s.name.replace(" ", "_"))
def test_a_mistake_is_told(slip: Slip, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    code, text = message(slip, folder)
    assert code == slip.code, text
    flat = " ".join(text.split())
    assert [w for w in slip.words if " ".join(w.split()) not in flat] == [], text
    assert "Traceback" not in text

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.runtime.memory import default_memory, memory_available
from spatial_pipeline.settings import Settings


def test_a_container_may_have_less_than_the_machine(tmp_path: Path) -> None:
    whole = memory_available(tmp_path)
    assert whole > 1 << 28
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_available(tmp_path) == whole
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory_available(tmp_path) == 1 << 20
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("4096\n")
    assert memory_available(tmp_path) == 4096


def test_a_quarter_unless_told() -> None:
    assert default_memory() == memory_available() // 4
    assert Settings().memory == default_memory()


@pytest.mark.parametrize(
    ("told", "expected"), [("2GiB", 2 << 30), ("500MB", 500_000_000), ("1000", 1000)]
)
def test_sizes_as_people_write_them(
    told: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_MEMORY", told)
    settings = Settings()
    assert settings.memory == expected
    contract = VectorContract.model_validate({"name": "a", "source": {"uri": "a.fgb"}, "rules": []})
    assert Pipeline.of([contract], settings).memory == expected


@pytest.mark.parametrize("told", ["much", "0", "-1GiB"])
def test_what_is_no_size_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_MEMORY", told)
    with pytest.raises(ValueError, match="memory"):
        Settings()

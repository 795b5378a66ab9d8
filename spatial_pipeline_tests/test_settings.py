"""Settings come from the environment, and an empty variable is none."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from spatial_pipeline.settings import Settings


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "DATABASE_URL", "ALLOWED_SOURCES", "DATABASE_POOL_SIZE"):
        monkeypatch.setenv(f"SPATIAL_{name}", "")
    empty = Settings()
    for name in ("STORE", "DATABASE_URL", "ALLOWED_SOURCES", "DATABASE_POOL_SIZE"):
        monkeypatch.delenv(f"SPATIAL_{name}")
    assert empty == Settings()


def test_a_wrong_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_DATABASE_POOL_SIZE", "0")
    with pytest.raises(ValidationError, match="database_pool_size"):
        Settings()

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from spatial_pipeline_tests.sources.web import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Retries come at once; as many as asked for, up to three."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield

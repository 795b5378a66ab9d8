"""A browser for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spatial_pipeline_tests.browser import Browser, NoBrowserError, running_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One window for this worker; it starts when a test first asks for it."""
    try:
        with running_browser() as window:
            yield window
    except NoBrowserError as exc:
        pytest.fail(str(exc))

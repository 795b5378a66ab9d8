"""Retries of requests; failed attempts are logged, never printed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from functools import cache

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from spatial_pipeline.sources.limits import TransferLimits

Attempts = Iterable[stamina.Attempt]
WAIT_MAX_S = 30.0
"""Longest wait between two attempts."""
logger = logging.getLogger("spatial_pipeline.retries")


def attempts(on: type[Exception] | tuple[type[Exception], ...], limits: TransferLimits) -> Attempts:
    """The attempts at one request.

    Args:
        on: errors after which it is sent again.
        limits: how often.

    """
    _log_only()
    return stamina.retry_context(on=on, attempts=limits.attempts, timeout=None, wait_max=WAIT_MAX_S)


@cache
def _log_only() -> None:
    """Replaces stamina's default, which prints to stdout unless the program set up structlog."""
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        set_on_retry_hooks([_logged])


def _logged(details: RetryDetails) -> None:
    logger.warning(
        "attempt %d failed: %s; the next one comes in %.1f s",
        details.retry_num,
        str(details.caused_by) or type(details.caused_by).__name__,
        details.wait_for,
    )


__all__ = ["Attempts", "attempts"]

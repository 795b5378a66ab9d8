"""Ticks of cron expressions, as Dagster's own scheduler sees them.

Dagster has no public name for this; no other module uses it, and ``test_cron_ticks.py`` pins it.
"""

from __future__ import annotations

from datetime import datetime

from dagster._utils.schedules import get_latest_completed_cron_tick


def last_tick(cron: str, at: datetime, timezone: str) -> datetime:
    """The last tick of a cron expression up to a time.

    Args:
        cron: cron expression of five fields.
        at: the time, with its zone.
        timezone: name of the zone in which the expression is meant.

    """
    return get_latest_completed_cron_tick(cron, at, timezone)

"""Initial status of everything that Dagster's daemon starts by itself: ``SPATIAL_AUTOSTART``."""

from __future__ import annotations

import os
from functools import cache

import dagster as dg

from spatial_pipeline.settings import Settings

NAME = "SPATIAL_AUTOSTART"


def sensor_status() -> dg.DefaultSensorStatus:
    """Initial status of every sensor of a code location."""
    if _autostart(os.environ.get(NAME)):
        return dg.DefaultSensorStatus.RUNNING
    return dg.DefaultSensorStatus.STOPPED


def schedule_status() -> dg.DefaultScheduleStatus:
    """Initial status of every schedule of a code location."""
    if _autostart(os.environ.get(NAME)):
        return dg.DefaultScheduleStatus.RUNNING
    return dg.DefaultScheduleStatus.STOPPED


@cache
def _autostart(written: str | None) -> bool:
    """The setting for a value of its variable: each dataset asks several times."""
    del written
    return Settings().autostart

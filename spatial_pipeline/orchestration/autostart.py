"""Initial status of everything that Dagster's daemon starts by itself: ``SPATIAL_AUTOSTART``."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.settings import Settings


def sensor_status() -> dg.DefaultSensorStatus:
    """Initial status of every sensor of a code location."""
    if Settings().autostart:
        return dg.DefaultSensorStatus.RUNNING
    return dg.DefaultSensorStatus.STOPPED


def schedule_status() -> dg.DefaultScheduleStatus:
    """Initial status of every schedule of a code location."""
    if Settings().autostart:
        return dg.DefaultScheduleStatus.RUNNING
    return dg.DefaultScheduleStatus.STOPPED

"""Dagster definitions: components, assets, checks, schedules, sensors. No logic of the stages."""

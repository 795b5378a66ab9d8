"""Dagster definitions: components, assets, checks, schedules, sensors, resources."""

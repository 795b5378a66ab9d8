"""Dagster and nothing else: components, assets, checks, schedules, resources."""

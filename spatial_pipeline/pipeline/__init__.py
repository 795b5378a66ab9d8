"""Use cases: the only package in which ingest, check, gate, publish and store meet.

It knows neither Dagster nor the command line.
"""

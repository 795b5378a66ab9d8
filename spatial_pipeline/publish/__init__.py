"""Atomic publication of a version, to files and to PostGIS, after asking the gate under a lock.

Staging, checking and reading of tables as sources belong elsewhere.
"""

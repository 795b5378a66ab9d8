"""Versions on disk: immutable folders, one pointer a partition."""

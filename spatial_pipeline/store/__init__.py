"""Versions on disk: immutable folders with verdicts, and one published pointer per partition.

Only this package knows the paths inside a version. The decision to publish is made in ``gate``.
"""

"""Words that contracts, results and reports share: kinds of data, families, scopes, severities."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Bounds = tuple[float, float, float, float]
Kind = Literal["vector", "raster"]
INGEST_VERSION = 7
"""Raised whenever ingest writes something else for the same source."""


class Status(StrEnum):
    """Outcome of the evaluation of a rule; only ``PASSED`` passes."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"


class Severity(StrEnum):
    """``ERROR`` blocks publication, ``WARN`` never does."""

    ERROR = "error"
    WARN = "warn"


class Family(StrEnum):
    """The four families of rules."""

    METADATA = "metadata"
    VALIDITY = "validity"
    TOPOLOGY = "topology"
    PARITY = "parity"


class Scope(StrEnum):
    """Unit of data that a rule sees."""

    PROFILE = "profile"
    FEATURE = "feature"
    NEIGHBOURHOOD = "neighbourhood"
    DATASET = "dataset"
    WINDOW = "window"
    COMPARISON = "comparison"

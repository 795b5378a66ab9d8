"""One run of a dataset in a process of its own that kills itself at the n-th call of a stage."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings

STAGES = ("stage", "audit", "publish")


def contract(folder: Path) -> VectorContract:
    """Points without nulls."""
    return VectorContract.model_validate(
        {
            "name": "points",
            "source": {"uri": str(folder / "points.geojson")},
            "key": ["id"],
            "rules": [
                {"rule": "not_empty"},
                {"rule": "feature_count", "min": 1},
                {"rule": "unique", "columns": ["id"]},
            ],
        }
    )


def pipeline(folder: Path) -> Pipeline:
    """The pipeline of the one dataset."""
    return Pipeline.of([contract(folder)], Settings(store=folder / "store"))


@contextlib.contextmanager
def counted(calls: dict[str, int], stage: str, fatal: int | None) -> Iterator[None]:
    """Counts calls and returns (Python's and C's) in all threads; the fatal one is the last."""
    counter = itertools.count(1)
    seen = 0

    def profiler(*_: Any) -> None:
        nonlocal seen
        seen = next(counter)
        if seen == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profiler)
    sys.setprofile(profiler)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        calls[stage] = seen


def run(folder: str, stage: str | None, fatal: int | None, report: Any) -> None:
    """Stages, checks and publishes; sends what became of it and the calls a stage took."""
    catalogue.load()
    story = pipeline(Path(folder))
    dataset = contract(Path(folder))
    calls: dict[str, int] = {}

    def at(name: str) -> Any:
        return counted(calls, name, fatal if name == stage else None)

    with at("stage"):
        version = story.stage(dataset)
    with at("audit"):
        asyncio.run(story.audit(dataset, version))
    outcome = "published"
    with at("publish"):
        try:
            story.publish(dataset, version)
        except GateClosedError:
            outcome = "held"
    report.send((outcome, version.id, calls))
    report.close()

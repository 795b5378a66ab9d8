"""The product as a side of a benchmark: from staged versions to located violations."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings


def staged(source: Path, kind: str = "vector", **more: Any) -> tuple[Pipeline, Any, Any]:
    """A pipeline of one contract, the contract, and the version of its source in the store."""
    model = VectorContract if kind == "vector" else RasterContract
    of = model.model_validate({"name": source.stem, "source": {"uri": str(source)}, **more})
    pipeline = Pipeline.of([of], Settings(store=source.parent / "store"))
    return pipeline, of, pipeline.stage(of)


def preload() -> None:
    """Imports what the product imports when it is first used, so that no clock sees it."""
    import pandas as pd  # noqa: F401
    import rasterio  # noqa: F401

    catalogue.load()


def checked(
    pipeline: Pipeline, of: Any, version: Any, threads: int, *others: Any
) -> tuple[float, list[Any]]:
    """Seconds of all rules of a contract over a staged version, and what they found."""
    preload()
    started = time.perf_counter()
    data = pipeline.store.open(version)
    opened = tuple(pipeline.store.open(other) for other in others)
    found = asyncio.run(
        evaluate(
            of.rules, data, key=of.key_columns, others=lambda _: opened, plan=Plan(jobs=threads)
        )
    )
    return time.perf_counter() - started, found

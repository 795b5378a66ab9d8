"""Asset keys, tags and other names of a dataset in Dagster."""

from __future__ import annotations

import dagster as dg

DATASET_TAG = "spatial_pipeline/dataset"
"""Tag of runs of a dataset, for concurrency limits and for finding them."""
CRON = "spatial_pipeline/cron"
"""Metadata of a published asset: cron expression of its nightly run."""
ZONE = "spatial_pipeline/timezone"
"""Metadata of a published asset: time zone of that expression."""


def source_key(dataset: str) -> dg.AssetKey:
    """Key of the external source of a dataset."""
    return dg.AssetKey([dataset, "source"])


def staged_key(dataset: str) -> dg.AssetKey:
    """Key of the staged asset of a dataset."""
    return dg.AssetKey([dataset, "staged"])


def published_key(dataset: str) -> dg.AssetKey:
    """Key of the published asset of a dataset, on which downstream assets depend."""
    return dg.AssetKey([dataset, "published"])

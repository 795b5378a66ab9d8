"""Asset keys, tags and other names of a dataset in Dagster."""

from __future__ import annotations

import dagster as dg

DATASET_TAG = "spatial_pipeline/dataset"
"""Tag of runs of a dataset, for concurrency limits and for finding them."""
PARTITION_TAG = "dagster/partition"
"""Dagster's tag of a run with the key of its partition."""
DEAD_TAG = "spatial_pipeline/dead"
"""Tag of a run that was ended because its processes were gone."""
FAILED_RULES = "failed_rules"
"""Metadata of the failure of a check step that did its work: names of the rules that block."""
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


def comparison_key(dataset: str) -> dg.AssetKey:
    """Key of the external asset that stands for the data its rules compare with."""
    return dg.AssetKey([dataset, "comparison"])


def published_key(dataset: str) -> dg.AssetKey:
    """Key of the published asset of a dataset, on which downstream assets depend."""
    return dg.AssetKey([dataset, "published"])

"""A code location with a dataset of partitions, one without, a plain asset, and its operations.

The environment says where (``SPATIAL_TEST_FOLDER``) and how many rules and partitions.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.orchestration.assets import published_key
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.operations import operations_definitions

KEYS = [f"p{i:02}" for i in range(18)]


def folder() -> Path:
    return Path(os.environ["SPATIAL_TEST_FOLDER"])


def tiles() -> VectorContract:
    return VectorContract.model_validate(
        {
            "name": "tiles",
            "owners": ["team:gis"],
            "source": {"uri": str(folder() / "{partition}.geojson")},
            "partitions": {"static": KEYS},
            "key": ["id"],
            "rules": [
                {"rule": "not_empty"},
                {"rule": "feature_count", "min": 5, "severity": "warn"},
                {"rule": "no_duplicate_geometries", "name": "twice"},
            ],
        }
    )


def storm() -> VectorContract:
    """As many rules as the environment says, none of which holds."""
    return VectorContract.model_validate(
        {
            "name": "storm",
            "source": {"uri": str(folder() / "p00.geojson")},
            "key": ["id"],
            "rules": [
                {"rule": "feature_count", "name": f"count_{i:03}", "min": 1000 + i}
                for i in range(int(os.environ.get("TEST_RULES", "1")))
            ],
        }
    )


@dg.asset(owners=["team:ops"])
def mosaic() -> None:
    """An asset of somebody else's that fails when the folder says so."""
    if (folder() / "fail").exists():
        msg = "disk full"
        raise OSError(msg)


def _policies(spec: dg.AssetSpec) -> dg.AssetSpec:
    if spec.key != published_key("storm"):
        return spec
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=2))
    return spec.replace_attributes(freshness_policy=policy)


def few() -> dg.Definitions:
    """What most runs run: without the storm, whose 500 checks take their time to resolve."""
    return dg.Definitions.merge(dataset_definitions(tiles()), dg.Definitions(assets=[mosaic]))


@dg.definitions
def defs() -> dg.Definitions:
    operations = OperationsContract.model_validate(
        json.loads(os.environ.get("TEST_OPERATIONS", "{}"))
    )
    return dg.Definitions.merge(
        few(), dataset_definitions(storm()), operations_definitions(operations)
    ).map_asset_specs(func=_policies)

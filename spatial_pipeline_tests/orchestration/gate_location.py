"""A code location over the project in ``SPATIAL_TEST_FOLDER``: partitioned tiles and a mosaic."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import NotPublishedError
from spatial_pipeline.orchestration.assets import published_key
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.pipeline.pipeline import Pipeline

KEYS = ["p1", "p2"]


def tiles(folder: Path) -> VectorContract:
    """The contract of the partitioned dataset."""
    return VectorContract.model_validate(
        {
            "name": "points",
            "source": {"uri": str(folder / "{partition}.geojson")},
            "partitions": {"static": KEYS},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "feature_count", "min": 1}],
        }
    )


def plain(folder: Path) -> VectorContract:
    """The contract of an unpartitioned dataset."""
    return VectorContract.model_validate(
        {
            "name": "plain",
            "source": {"uri": str(folder / "plain.geojson")},
            "rules": [{"rule": "not_empty"}],
        }
    )


@dg.asset(deps=[published_key("points")])
def mosaic() -> dg.MaterializeResult[None]:
    """What a fan-in downstream reads: every published partition."""
    folder = Path(os.environ["SPATIAL_TEST_FOLDER"])
    pipeline = Pipeline.of([tiles(folder)])
    rows: dict[str, int] = {}
    for key in KEYS:
        try:
            rows[key] = pipeline.read("points", key).profile.count
        except NotPublishedError:
            rows[key] = 0
    return dg.MaterializeResult(metadata={"rows": rows})


def _eager(spec: dg.AssetSpec) -> dg.AssetSpec:
    if spec.key != published_key("plain"):
        return spec
    return spec.replace_attributes(automation_condition=dg.AutomationCondition.eager())


@dg.definitions
def defs() -> dg.Definitions:
    """Tiles, their mosaic, and a plain dataset whose published asset is on plain ``eager()``."""
    folder = Path(os.environ["SPATIAL_TEST_FOLDER"])
    whole = dg.Definitions.merge(
        dataset_definitions(tiles(folder)),
        dataset_definitions(plain(folder)),
        dg.Definitions(assets=[mosaic]),
    )
    return whole.map_asset_specs(func=_eager)

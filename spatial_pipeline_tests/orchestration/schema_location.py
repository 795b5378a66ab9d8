"""A code location whose one contract is the file in ``SPATIAL_TEST_FOLDER``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.dataset import dataset_definitions

BUILT = [f"p{i:02}" for i in range(1, 13)]
KEYS = [*BUILT, "p13", "p14"]
"""The last two are never built."""


def contract(folder: Path) -> VectorContract:
    """The contract as it is today."""
    return VectorContract.model_validate_json((folder / "contract.json").read_text())


def write_contract(folder: Path, kind: str, **more: Any) -> VectorContract:
    """Parcels whose column ``code`` is of a type."""
    value = {
        "name": "parcels",
        "source": {"uri": str(folder / "{partition}.geojson")},
        "partitions": {"static": KEYS},
        "on_schema_change": "backfill",
        "backfill": {"order": "newest", "at_most": 4},
        "key": ["id"],
        "rules": [{"rule": "columns", "schema": {"id": "integer", "code": kind}}],
        **more,
    }
    (folder / "contract.json").write_text(json.dumps(value))
    return contract(folder)


def write_source(folder: Path, key: str, codes: Sequence[Any]) -> None:
    """A partition of parcels with these codes."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": i, "code": code},
            "geometry": {"type": "Point", "coordinates": [i, 1]},
        }
        for i, code in enumerate(codes)
    ]
    path = folder / f"{key}.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def load() -> dg.Definitions:
    """The dataset as its contract is now."""
    made = dataset_definitions(contract(Path(os.environ["SPATIAL_TEST_FOLDER"])))
    return dg.Definitions.merge(made, dg.Definitions(executor=dg.in_process_executor))


@dg.definitions
def defs() -> dg.Definitions:
    """The dataset as its contract is when the location is loaded."""
    return load()

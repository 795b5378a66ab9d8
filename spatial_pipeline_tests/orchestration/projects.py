"""Small projects on disk: contracts, sources made good or bad, and their Dagster runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings

GOOD = [[0, 0], [1, 1], [2, 2]]
BAD = [[0, 0], None, [2, 2]]


def write_points(path: Path, points: Sequence[Any]) -> None:
    """A GeoJSON file of points; None is a feature without geometry."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": i},
            "geometry": None if p is None else {"type": "Point", "coordinates": p},
        }
        for i, p in enumerate(points)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


class Project:
    """One dataset of points in a folder; ``SPATIAL_STORE`` points below it."""

    def __init__(self, folder: Path, **contract: Any) -> None:
        self.folder = folder
        self.contract = self.reading(**contract)

    def reading(self, **changes: Any) -> VectorContract:
        """The contract with some attributes changed."""
        attributes: dict[str, Any] = {
            "name": "points",
            "source": {"uri": str(self.folder / "points.geojson")},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "feature_count", "min": 1}],
        }
        return VectorContract.model_validate({**attributes, **changes})

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline.of([self.contract], Settings(store=self.folder / "store"))

    def supply(self, points: Sequence[Any], name: str = "points") -> None:
        write_points(self.folder / f"{name}.geojson", points)

    def definitions(self, *more: Any) -> dg.Definitions:
        return dg.Definitions.merge(dataset_definitions(self.contract), dg.Definitions(list(more)))

    def published(self, partition: str | None = None) -> str | None:
        publication = self.pipeline.store.published("points", partition)
        return None if publication is None else publication.version

    def published_rows(self, partition: str | None = None) -> int:
        """Features that a reader counts in what is published."""
        data = self.pipeline.read("points", partition)
        return sum(len(data.batch(i, ["id"])) for i in range(data.batch_count()))


def run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    selection: dg.AssetSelection | None = None,
    partition: str | None = None,
    checks: Sequence[dg.AssetCheckKey] | None = None,
    *,
    raise_on_error: bool = False,
) -> dg.ExecuteInProcessResult:
    """A run of some assets (and checks) of a project, in process."""
    job = definitions.resolve_implicit_global_asset_job_def()
    if selection is not None:
        graph = definitions.resolve_asset_graph()
        job = job.get_subset(
            asset_selection=selection.resolve(graph),
            asset_check_selection=set(checks) if checks is not None else None,
        )
    return job.execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=raise_on_error
    )

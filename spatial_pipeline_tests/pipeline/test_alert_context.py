"""The map of an alert: defects upon the features of a dataset, when these are few."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from spatial_pipeline.alert.problems import Problem
from spatial_pipeline.pipeline import alert_context
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.orchestration.projects import Project

POINTS = [[0, 0], [5, 5], [5, 5], [2, 7], [7, 2], [10, 10]]


@pytest.fixture
def failed(tmp_path: Path) -> tuple[Store, Problem]:
    project = Project(tmp_path, rules=[{"rule": "no_duplicate_geometries"}])
    project.supply(POINTS)
    pipeline = project.pipeline
    version = pipeline.stage(project.contract)
    asyncio.run(pipeline.audit(project.contract, version))
    fact = alert_context.fact_of(pipeline.store, version, "no_duplicate_geometries")
    assert fact is not None
    return pipeline.store, fact


def grey(picture: bytes | None) -> int:
    """Pixels of the features in the background."""
    assert picture is not None
    image = matplotlib.image.imread(io.BytesIO(picture), format="png")[..., :3]
    even = np.ptp(image, axis=2) < 0.02
    return int((even & (image[..., 0] > 0.3) & (image[..., 0] < 0.99)).sum())


def test_features_lie_under_the_defects(
    failed: tuple[Store, Problem], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_features = grey(alert_context.picture_of(*failed))
    monkeypatch.setattr(alert_context, "MOST_UNDER", len(POINTS) - 1)
    assert grey(alert_context.picture_of(*failed)) < with_features
    monkeypatch.setattr(alert_context, "MOST_UNDER", len(POINTS))
    assert grey(alert_context.picture_of(*failed)) == with_features
    monkeypatch.setattr(alert_context, "MOST_UNDER_BYTES", 10)
    assert grey(alert_context.picture_of(*failed)) < with_features

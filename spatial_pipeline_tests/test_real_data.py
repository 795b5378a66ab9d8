"""Real data that ships in wheels, from its source to verdicts, without Dagster."""

from __future__ import annotations

import asyncio
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.sample_data import package_folder

TOKYO = "package://libpysal/examples/tokyo/tokyomet262.shp"


def tokyo() -> geopandas.GeoDataFrame:
    return geopandas.read_file(package_folder("libpysal") / "examples/tokyo/tokyomet262.shp")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Result, Violations]]:
    """All rules about tokyomet262."""
    contract = VectorContract.model_validate(
        {
            "name": "tokyo",
            "source": {"uri": TOKYO},
            "rules": [
                {"rule": "valid_geometry"},
                {"rule": "must_not_overlap"},
                {"rule": "must_not_have_gaps"},
            ],
        }
    )
    pipeline = Pipeline.of([contract], Settings(store=tmp_path_factory.mktemp("tokyo") / "store"))
    version = pipeline.stage(contract)
    found: Any = asyncio.run(pipeline.audit(contract, version))
    return {r.name: (r, f) for r, f in found.evaluations}


def test_exactly_the_invalid_features_are_named(
    audit: dict[str, tuple[Result, Violations]],
) -> None:
    result, violations = audit["valid_geometry"]
    expected = np.flatnonzero(~shapely.is_valid(tokyo().geometry.to_numpy()))
    assert len(expected) == 10
    assert result.status is Status.FAILED
    assert sorted(violations.rows[:, 0].tolist()) == expected.tolist()
    assert all(violations.reasons)
    assert all(g is not None and g.geom_type == "Point" for g in violations.geometry)


def test_topology_still_reports_on_the_rest(
    audit: dict[str, tuple[Result, Violations]],
) -> None:
    geometry = tokyo().geometry.to_numpy()
    valid = np.flatnonzero(shapely.is_valid(geometry))
    expected = {
        (int(valid[i]), int(valid[j]))
        for i in range(len(valid))
        for j in range(i + 1, len(valid))
        if shapely.relate_pattern(geometry[valid[i]], geometry[valid[j]], "2********")
    }
    result, violations = audit["must_not_overlap"]
    assert result.checked == 252
    assert {tuple(sorted(pair)) for pair in violations.rows.tolist()} == expected
    assert "10" in result.message
    assert audit["must_not_have_gaps"][0].status in (Status.PASSED, Status.FAILED)

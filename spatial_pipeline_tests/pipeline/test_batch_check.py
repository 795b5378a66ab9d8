from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import geopandas
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import SourceError
from spatial_pipeline.pipeline.batch_check import check_all, export_violations


class Broken:
    """A pipeline in which staging raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def stage(self, *_: Any) -> Any:
        raise self.error


def contract(name: str) -> VectorContract:
    rules = [{"rule": "feature_count", "min": 1}, {"rule": "not_empty", "severity": "warn"}]
    return VectorContract.model_validate({"name": name, "source": {"uri": "x"}, "rules": rules})


@pytest.mark.parametrize(
    ("error", "message"),
    [(SourceError("x is refused"), "x is refused"), (KeyError("x"), "KeyError: 'x'")],
)
def test_whatever_is_raised_becomes_one_result_a_rule(error: Exception, message: str) -> None:
    targets = [(contract("a"), None), (contract("b"), "north")]
    pipeline: Any = Broken(error)
    first, second = asyncio.run(check_all(pipeline, targets, None))
    assert [r.name for r in first.results] == [
        "readable",
        "staged_matches_source",
        "feature_count",
        "not_empty",
    ]
    assert {r.status for r in first.results} == {Status.ERROR}
    assert {r.message for r in first.results} == {message}
    assert not first.passed
    assert (second.dataset, second.partition, second.version) == ("b", "north", None)
    (only,) = asyncio.run(check_all(pipeline, targets[:1], ["not_empty"]))
    assert [r.name for r in only.results] == ["readable", "not_empty"]
    assert not only.passed


def test_what_was_never_staged_leaves_an_empty_layer(tmp_path: Path) -> None:
    pipeline: Any = Broken(SourceError("gone"))
    checked = asyncio.run(check_all(pipeline, [(contract("a"), None)], None))
    assert export_violations(checked, tmp_path / "v.gpkg") == [tmp_path / "v.gpkg"]
    assert len(geopandas.read_file(tmp_path / "v.gpkg", layer="violations")) == 0

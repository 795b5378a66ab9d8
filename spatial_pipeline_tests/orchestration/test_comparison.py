"""Lineage between datasets that are compared: visible, and without influence on runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline_tests.orchestration.projects import GOOD, Project, run


def contract(name: str, *others: Any, **changes: Any) -> VectorContract:
    rules = [
        {"rule": "must_be_covered_by", "other": other, "name": f"rule{i}"}
        for i, other in enumerate(others)
    ]
    attributes = {"name": name, "source": {"uri": f"{name}.gpkg"}, "rules": rules}
    if not rules:
        attributes.pop("rules")
    return VectorContract.model_validate({**attributes, **changes})


def graph_of(*contracts: VectorContract | RasterContract) -> AssetGraph:
    definitions = dg.Definitions.merge(*map(dataset_definitions, contracts))
    dg.Definitions.validate_loadable(definitions)
    return definitions.resolve_asset_graph()


def edges(graph: AssetGraph) -> set[tuple[str, str]]:
    return {
        (parent.to_user_string(), node.key.to_user_string())
        for node in graph.asset_nodes
        for parent in node.parent_keys
    }


ROADS = {"dataset": "roads"}


def test_what_a_dataset_is_compared_with_is_upstream_of_what_it_publishes() -> None:
    graph = graph_of(contract("roads"), contract("bridges", ROADS, {"uri": "rivers.gpkg"}))
    assert edges(graph) == {
        ("roads/source", "roads/staged"),
        ("roads/staged", "roads/published"),
        ("roads/published", "bridges/comparison"),
        ("bridges/comparison", "bridges/published"),
        ("bridges/source", "bridges/staged"),
        ("bridges/staged", "bridges/published"),
    }
    comparison = graph.get(dg.AssetKey(["bridges", "comparison"]))
    assert comparison.is_external
    assert (comparison.description or "").splitlines()[2:] == [
        "- roads (published): rule0",
        "- rivers.gpkg: rule1",
    ]


def test_files_and_the_dataset_itself_have_no_edge() -> None:
    graph = graph_of(contract("bridges", {"uri": "rivers.gpkg"}, {"dataset": "bridges"}))
    assert edges(graph) == {
        ("bridges/source", "bridges/staged"),
        ("bridges/staged", "bridges/published"),
    }


PARTITIONED = {"source": {"uri": "{partition}.gpkg"}}
KINDS: list[dict[str, Any]] = [
    {},
    {**PARTITIONED, "partitions": {"static": ["n", "s"]}},
    {**PARTITIONED, "partitions": {"daily": "2026-11-01"}},
    {**PARTITIONED, "partitions": {"dynamic": "tiles"}},
]


@pytest.mark.parametrize("mine", KINDS)
@pytest.mark.parametrize("theirs", KINDS)
def test_partitions_of_any_two_kinds_load(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    graph = graph_of(contract("roads", **theirs), contract("bridges", ROADS, **mine))
    assert ("roads/published", "bridges/comparison") in edges(graph)


def test_a_run_launches_the_same_steps_alone_and_with_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    project = Project(tmp_path, rules=[{"rule": "same_count_as", "other": {"dataset": "roads"}}])
    roads = project.reading(name="roads", rules=[{"rule": "not_empty"}])
    project.supply(GOOD)
    both = dg.Definitions.merge(dataset_definitions(project.contract), dataset_definitions(roads))
    first = {f"roads__{step}" for step in ("staged", "checks", "published")}
    second = {f"points__{step}" for step in ("staged", "checks", "published")}
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(both, instance)
        assert {e.step_key for e in result.get_step_success_events()} == first | second
        order = [e.step_key for e in result.get_step_success_events()]
        assert order.index("roads__published") < order.index("points__checks")
        alone = run(both, instance, dg.AssetSelection.groups("points"))
        assert {e.step_key for e in alone.get_step_success_events()} == second
    assert project.published() is not None


def test_automation_of_published_looks_at_staged_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    rules = [{"rule": "same_count_as", "other": {"dataset": "roads"}}]
    project = Project(tmp_path, rules=rules, automation="eager")
    roads = project.reading(name="roads", rules=[{"rule": "not_empty"}])
    project.supply(GOOD)
    both = dg.Definitions.merge(dataset_definitions(project.contract), dataset_definitions(roads))
    published = dg.AssetKey(["points", "published"])
    with dg.DagsterInstance.ephemeral() as instance:
        run(both, instance, dg.AssetSelection.groups("roads"))
        run(both, instance, dg.AssetSelection.assets(["points", "staged"]))
        # Nothing ever materializes the comparison, and published is requested all the same.
        assert dg.evaluate_automation_conditions(both, instance).get_num_requested(published) == 1

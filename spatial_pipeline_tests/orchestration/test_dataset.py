"""The asset graph of a dataset, so that a lost blocking flag shows in review."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.utils import is_valid_owner
from dagster._core.test_utils import instance_for_test
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.load import parse_attributes
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.errors import ContractError
from spatial_pipeline.orchestration.broken import broken_definitions
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run

ROADS: dict[str, Any] = {
    "name": "roads",
    "description": "Roads of the county",
    "group": "transport",
    "owners": ["team:gis"],
    "source": {"uri": "roads.gpkg"},
    "key": ["id"],
    "rules": [
        {"rule": "crs", "equals": "EPSG:4326"},
        {"rule": "unique", "columns": ["id"]},
        {"rule": "valid_geometry", "severity": "warn", "name": "valid"},
        {"rule": "must_be_covered_by", "other": {"dataset": "county"}},
    ],
}


def contract(**changes: Any) -> VectorContract:
    return VectorContract.model_validate({**ROADS, **changes})


def test_the_job_of_a_dataset_knows_no_sources_of_others() -> None:
    others = (contract(name=name, rules=ROADS["rules"][:3]) for name in ("rivers", "rails"))
    definitions = dg.Definitions.merge(*map(dataset_definitions, (contract(), *others)))
    job = definitions.resolve_job_def("roads_job")
    assert {k.to_user_string() for k in job.asset_layer.asset_graph.get_all_asset_keys()} == {
        "roads/source",
        "roads/staged",
        "roads/comparison",
        "roads/published",
        "county/published",
    }


def test_the_graph_of_a_dataset() -> None:
    graph = dataset_definitions(contract()).resolve_asset_graph()
    nodes = {n.key.to_user_string(): n for n in graph.asset_nodes}
    assert {k: sorted(p.to_user_string() for p in n.parent_keys) for k, n in nodes.items()} == {
        "roads/source": [],
        "roads/staged": ["roads/source"],
        "roads/published": ["roads/comparison", "roads/staged"],
        "roads/comparison": ["county/published"],
        "county/published": [],
    }
    assert {k: n.is_materializable for k, n in nodes.items()} == {
        "roads/source": False,
        "roads/staged": True,
        "roads/published": True,
        "roads/comparison": False,
        "county/published": False,
    }
    staged = nodes["roads/staged"]
    assert staged.kinds == {"vector", "parquet"}
    assert (staged.group_name, list(staged.owners)) == ("transport", ["team:gis"])
    assert "Roads of the county" in (staged.description or "")
    assert nodes["roads/published"].code_version == contract().rules_hash
    assert all(n.backfill_policy is None for n in nodes.values())


TEXTS = st.text(alphabet="aB1|.@:_- \n\t/é", max_size=9)
OWNERS = st.one_of(
    TEXTS, st.builds("{}@{}.{}".format, TEXTS, TEXTS, TEXTS), st.builds("team:{}".format, TEXTS)
)


@given(
    owners=st.lists(OWNERS, max_size=2),
    group=st.none() | TEXTS,
    partitions=st.none()
    | st.builds(lambda keys: {"static": keys}, st.lists(TEXTS, max_size=2))
    | st.builds(lambda name: {"dynamic": name}, TEXTS),
)
def test_dagster_takes_whatever_the_loader_takes(
    owners: list[str], group: str | None, partitions: dict[str, Any] | None
) -> None:
    uri = "roads.gpkg" if partitions is None else "{partition}.gpkg"
    written = {"name": "roads", "source": {"uri": uri}, "owners": owners, "group": group}
    for left_out in ((), ("owners",), ("group", "owners")):
        attributes = {k: v for k, v in written.items() if k not in left_out}
        attributes |= {} if partitions is None else {"partitions": partitions}
        try:
            found = parse_attributes("spatial_pipeline.VectorDataset", attributes)
        except ContractError:
            continue
        definitions = dataset_definitions(found)
        assert definitions.resolve_asset_graph().asset_nodes
    for owner in owners:
        attributes = {"name": "roads", "source": {"uri": "a.gpkg"}, "owners": [owner]}
        try:
            parse_attributes("spatial_pipeline.VectorDataset", attributes)
        except ContractError:
            assert not is_valid_owner(owner)
        else:
            assert is_valid_owner(owner)


def test_one_check_a_rule_and_only_warnings_do_not_block() -> None:
    graph = dataset_definitions(contract()).resolve_asset_graph()
    specs = {key.name: graph.get_check_spec(key) for key in graph.asset_check_keys}
    assert {name: spec.blocking for name, spec in specs.items()} == {
        "readable": True,
        "staged_matches_source": True,
        "crs": True,
        "unique": True,
        "valid": False,
        "must_be_covered_by": True,
    }
    assert {s.asset_key.to_user_string() for s in specs.values()} == {"roads/staged"}
    deps = [d.asset_key.to_user_string() for d in specs["must_be_covered_by"].additional_deps]
    assert deps == ["county/published"]
    assert "EPSG:4326" in (specs["crs"].description or "")


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ({"static": ["north", "south"]}, dg.StaticPartitionsDefinition(["north", "south"])),
        ({"daily": "2026-01-01"}, dg.DailyPartitionsDefinition(start_date="2026-01-01")),
        ({"dynamic": "tiles"}, dg.DynamicPartitionsDefinition(name="tiles")),
    ],
)
def test_everything_of_a_dataset_shares_its_partitions(
    partitions: dict[str, Any], expected: dg.PartitionsDefinition
) -> None:
    definitions = dataset_definitions(
        contract(partitions=partitions, source={"uri": "{partition}.gpkg"})
    )
    graph = definitions.resolve_asset_graph()
    own = {n.key.path[1]: n.partitions_def for n in graph.asset_nodes if n.key.path[0] == "roads"}
    # The other datasets may have other partitions.
    assert own.pop("comparison") is None
    assert own == dict.fromkeys(("source", "staged", "published"), expected)
    checks = [graph.get_check_spec(k) for k in graph.asset_check_keys]
    assert [c.partitions_def for c in checks] == [expected] * 6


def test_a_schedule() -> None:
    definitions = dataset_definitions(contract(schedule="0 3 * * *"))
    (schedule,) = definitions.schedules
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")
    with (
        instance_for_test() as instance,
        dg.build_schedule_context(
            instance, scheduled_execution_time=datetime(2026, 1, 5, 3, tzinfo=UTC)
        ) as context,
    ):
        data = schedule.evaluate_tick(context)
    assert len(data.run_requests) == 1
    assert dataset_definitions(contract()).schedules in (None, [])


@pytest.mark.parametrize(
    ("partitions", "keys"),
    [
        ({"static": ["n", "s"]}, ["n", "s"]),
        ({"daily": "2026-01-04"}, ["2026-01-04"]),
        ({"daily": "2026-01-02"}, ["2026-01-02", "2026-01-03", "2026-01-04"]),
    ],
)
def test_a_schedule_runs_each_partition_by_itself(
    partitions: dict[str, Any], keys: list[str]
) -> None:
    definitions = dataset_definitions(
        contract(partitions=partitions, source={"uri": "{partition}.gpkg"}, schedule="0 3 * * *")
    )
    (schedule,) = definitions.schedules
    with (
        instance_for_test() as instance,
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=datetime(2026, 1, 5, 3, tzinfo=UTC),
            repository_def=definitions.get_repository_def(),
        ) as context,
    ):
        data = schedule.evaluate_tick(context)
    assert [r.partition_key for r in data.run_requests] == keys


def test_datasets_merge() -> None:
    raster = RasterContract.model_validate({"name": "dem", "source": {"uri": "dem.tif"}})
    merged = dg.Definitions.merge(
        dataset_definitions(contract()),
        dataset_definitions(raster),
        broken_definitions("rails", "vector", "rails.yaml:3: unknown rule"),
    )
    dg.Definitions.validate_loadable(merged)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(merged, instance, dg.AssetSelection.assets(dg.AssetKey(["rails", "staged"])))
    assert not result.success


def test_what_a_person_sees_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    project = Project(tmp_path)
    project.supply(GOOD)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(project.definitions(), instance)
        assert result.success
        by_key = {
            e.asset_key.to_user_string(): e.materialization.metadata
            for e in result.get_asset_materialization_events()
        }
        staged, published = by_key["points/staged"], by_key["points/published"]
        assert staged["dagster/row_count"].value == 3
        columns = [c.name for c in staged["dagster/column_schema"].value.columns]
        assert columns == ["id", "geometry"]
        assert staged["extent"].value == [0.0, 0.0, 2.0, 2.0]
        assert staged["crs"].value.startswith("WGS 84")
        assert published["version"].value == staged["version"].value
        assert Path(published["data"].value).is_file()

        project.supply(BAD)
        checks = run(project.definitions(), instance).get_asset_check_evaluations()
        (failed,) = [c for c in checks if not c.passed]
        assert failed.check_name == "not_empty"
        assert failed.metadata["violations"].value == 1
        (record,) = failed.metadata["preview"].records
        assert record.data["keys"] == "1"
        assert Path(failed.metadata["violation_layer"].value).is_file()
        assert {c.check_name for c in checks} == {
            "readable",
            "staged_matches_source",
            "not_empty",
            "feature_count",
        }


def test_three_steps_however_many_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    rules = [{"rule": "feature_count", "min": i, "name": f"at_least_{i}"} for i in range(20)]
    project = Project(tmp_path, rules=rules)
    project.supply([[i, i] for i in range(30)])
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(project.definitions(), instance)
    steps = {e.step_key for e in result.get_step_success_events()}
    assert steps == {"points__staged", "points__checks", "points__published"}
    assert len(result.get_asset_check_evaluations()) == 22


def test_a_partitioned_dataset_with_backfills_has_a_sensor() -> None:
    parts = {"source": {"uri": "{partition}.gpkg"}, "partitions": {"static": ["n", "s"]}}

    def sensors(**changes: Any) -> list[str]:
        repository = dataset_definitions(contract(**changes)).get_repository_def()
        return [s.name for s in repository.sensor_defs]

    assert sensors(**parts, on_schema_change="backfill") == ["roads_schema_sensor"]
    assert sensors(on_schema_change="backfill") == []
    assert sensors(**parts) == []

"""Which runs are executed without a process for each step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration import small_runs
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.small_runs import SMALL, small_datasets

STEPS = ["small__staged", "small__checks", "small__published"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    known = dict(small_runs._DATASETS)
    yield tmp_path
    small_runs._DATASETS.clear()
    small_runs._DATASETS.update(known)


def define(folder: Path, name: str, size: int, uri: str | None = None) -> VectorContract:
    file = folder / f"{name}.gpkg"
    with file.open("wb") as sparse:
        sparse.truncate(size)
    value = {"name": name, "source": {"uri": uri or str(file)}, "rules": [{"rule": "not_empty"}]}
    if uri is not None:
        value["partitions"] = {"static": ["p"]}
    contract = VectorContract.model_validate(value)
    dataset_definitions(contract)
    return contract


def run(**tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="j", tags={f"dagster/{k}": v for k, v in tags.items()})


def test_small_files_need_no_processes(folder: Path) -> None:
    contract = define(folder, "small", 1_000)
    assert small_datasets(run(), STEPS) == [contract]
    assert small_datasets(run(), STEPS[2:]) == [contract]


def test_large_files_do(folder: Path) -> None:
    define(folder, "small", SMALL + 1)
    assert small_datasets(run(), STEPS) == []


def test_all_datasets_of_a_run_count_together(folder: Path) -> None:
    first = define(folder, "small", SMALL // 2)
    second = define(folder, "other", SMALL // 2)
    steps = [*STEPS, "other__staged"]
    assert small_datasets(run(), steps) == [first, second]
    define(folder, "other", SMALL // 2 + 1)
    assert small_datasets(run(), steps) == []


def test_steps_of_others_do(folder: Path) -> None:
    define(folder, "small", 1_000)
    assert small_datasets(run(), [*STEPS, "downstream"]) == []


@pytest.mark.parametrize("tag", ["retry_number", "parent_run_id", "asset_partition_range_start"])
def test_second_attempts_and_ranges_do(folder: Path, tag: str) -> None:
    define(folder, "small", 1_000)
    assert small_datasets(run(**{tag: "1"}), STEPS) == []


def test_the_partition_of_the_run_counts(folder: Path) -> None:
    define(folder, "p", SMALL + 1)
    contract = define(folder, "small", 1_000, uri=str(folder / "{partition}.gpkg"))
    assert small_datasets(run(partition="p"), STEPS) == []
    assert small_datasets(run(partition="small"), STEPS) == [contract]
    assert small_datasets(run(), STEPS) == []

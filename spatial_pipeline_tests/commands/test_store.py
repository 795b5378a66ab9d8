"""The commands ``store verify`` and ``store prune``."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from spatial_pipeline_tests.commands.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three published versions, all a year old but for the last switch."""
    made = Project(tmp_path)
    for ids in (3, 4, 5):
        made.dataset("roads", range(ids), retention={"keep": 1, "days": 30})
        code, rows, _ = made.run("roads")
        assert (code, rows["roads"]["outcome"]) == (0, "published")
    for path in made.store.glob("roads/-/*/"):
        at = time.time() - 365 * 86_400
        for each in (path / "profile.json", path):
            os.utime(each, (at, at))
    return made


def versions(project: Project) -> int:
    return len([p for p in project.store.glob("roads/-/*/") if not p.name.startswith(".")])


def test_prune_says_sizes_then_deletes(project: Project) -> None:
    dry = project.call("store", "prune", "--keep", "1", "--days", "30", "--dry-run", "--json")
    assert dry.exit_code == 0
    told = json.loads(dry.stdout)
    (only,) = told["partitions"]
    assert [v["was"] for v in only["versions"]] == ["published"]
    assert told["dry_run"] is True
    assert told["bytes"] == only["bytes"] > 0
    assert versions(project) == 3
    done = project.call("store", "prune", "--keep", "1", "--days", "30")
    assert "1 versions were deleted" in done.stdout
    assert versions(project) == 2


def test_the_contract_says_how_much_stays(project: Project) -> None:
    none = project.call("store", "prune")
    assert none.exit_code == 2
    assert "no limit is given: use --keep and --days, or contracts with `retention`" in none.stderr
    done = project.call("store", "prune", "--contracts", project.folder)
    assert (done.exit_code, versions(project)) == (0, 2)


def test_verify_finds_damage_and_exits_with_1(project: Project) -> None:
    sound = project.call("store", "verify")
    assert sound.exit_code == 0
    assert "3 versions of 1 partitions, database not configured: everything is right" in (
        sound.stdout
    )
    version = json.loads((project.store / "roads/-/published.json").read_text())["version"]
    os.truncate(project.store / "roads/-" / version / "data.parquet", 10)
    broken = project.call("store", "verify", "--json")
    told = json.loads(broken.stdout)
    assert (broken.exit_code, told["sound"]) == (1, False)
    assert [d["version"] for d in told["defects"]] == [version]
    assert "spatial-pipeline run roads" in told["defects"][0]["remedy"]


def test_a_database_that_is_away_is_no_success(project: Project) -> None:
    away = project.call(
        "store", "verify", "--json",
        SPATIAL_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
        SPATIAL_DATABASE_ACQUIRE_TIMEOUT_S="0.5",
    )  # fmt: skip
    assert away.exit_code == 1
    assert "no connection" in json.loads(away.stdout)["database"]


def test_an_unknown_dataset_is_a_mistake(project: Project) -> None:
    for command in (["verify"], ["prune", "--keep", "1"]):
        called = project.call("store", *command, "raods")
        assert called.exit_code == 2
        assert "there is no dataset 'raods'" in called.stderr
        assert "roads" in called.stderr


def test_other_sources_are_verified_and_pruned_by_the_time_of_their_last_use(
    tmp_path: Path,
) -> None:
    made = Project(tmp_path)
    rules = [{"rule": "same_count_as", "other": {"uri": "others.geojson"}}]
    for ids in (3, 4, 5):
        made.source("others", range(10, 10 + ids))
        made.dataset("roads", range(ids), retention={"keep": 1, "days": 30}, rules=rules)
        made.run("roads")
    others = made.store / ".others" / "-"
    folders = sorted(others.glob("*/profile.json"), key=lambda p: p.stat().st_mtime_ns)
    assert len(folders) == 3
    folders[1].write_text("{")
    for profile in folders:
        at = time.time() - 365 * 86_400
        for each in (profile, profile.parent):
            os.utime(each, (at, at))
    verified = json.loads(made.call("store", "verify", "--json").stdout)
    assert verified["partitions"] == 2
    (defect,) = verified["defects"]
    assert (defect["dataset"], defect["harms"]) == (".others", False)
    assert "the next check of a dataset that is compared with it" in defect["remedy"]
    assert verified["sound"] is True
    # Used again by a check, it stays.
    made.source("others", range(10, 13))
    made.source("roads", range(3))
    made.run("roads")
    done = made.call("store", "prune", "--contracts", made.folder, "--json")
    gone = [p for p in json.loads(done.stdout)["partitions"] if p["dataset"] == ".others"]
    assert {v["version"] for v in gone[0]["versions"]} == {f.parent.name for f in folders[1:]}
    assert folders[0].exists()

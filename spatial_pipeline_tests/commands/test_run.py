"""``run`` says how the run itself ended, whatever earlier runs left in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stamina

from spatial_pipeline.commands import run as module
from spatial_pipeline.distributed import client
from spatial_pipeline_tests.commands.projects import Project, points, rows
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.sources.web import serving


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_scheduler_that_does_not_answer_is_a_failure_although_an_old_verdict_is_good(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.dataset("a")
    code, before, _ = project.run()
    assert (code, before["a"]["outcome"]) == (0, "published")
    monkeypatch.setattr(client, "CONNECT_S", 0.3)
    code, found, said = project.run(SPATIAL_DASK_SCHEDULER="tcp://127.0.0.1:9")
    assert code == 1
    assert (found["a"]["published"], found["a"]["outcome"]) == (False, "failed")
    (reason,) = found["a"]["reasons"]
    assert reason.startswith("no Dask scheduler answers at tcp://127.0.0.1:9")
    assert found["a"]["readers_see"] == before["a"]["version"]
    assert said.splitlines()[-1].startswith(f"a: failed: {reason}")
    assert said.endswith(f"; readers still see {before['a']['version']}\n")


def test_a_store_that_cannot_be_written_is_a_failure_with_its_reason(project: Project) -> None:
    project.dataset("a")
    where = ("--contracts", project.folder, "--json")
    assert project.call("run", *where).exit_code == 0
    seen = json.loads((project.store / "a" / "-" / "published.json").read_text())["version"]
    read_only = f"mount --bind -o ro {project.store} {project.store}"
    read_only += f"; mount -o remount,bind,ro {project.store}"
    done = project.process("run", *where, before=read_only)
    row = rows(done.stdout)["a"]
    assert (done.returncode, row["outcome"], row["readers_see"]) == (1, "failed", seen)
    assert "Read-only file system" in done.stderr
    assert "Read-only file system" in row["reasons"][0]
    assert "Traceback" not in done.stderr


def test_a_full_store_is_a_failure_and_other_datasets_go_on(project: Project) -> None:
    project.dataset("a")
    project.dataset("b")
    where = ("--contracts", project.folder, "--json")
    assert project.call("run", *where).exit_code == 0
    seen = json.loads((project.store / "a" / "-" / "published.json").read_text())["version"]
    project.source("a", range(60_000))
    project.source("b", range(4))
    small = (
        f"cp -r {project.store} {project.store}.copy; mount -t tmpfs -o size=600k none "
        f"{project.store}; cp -r {project.store}.copy/. {project.store}"
    )
    done = project.process("run", *where, before=small)
    found = rows(done.stdout)
    assert done.returncode == 1
    assert (found["a"]["outcome"], found["a"]["readers_see"]) == ("failed", seen)
    assert "No space left on device" in found["a"]["reasons"][0]
    assert found["b"]["outcome"] == "published"


def test_a_source_that_breaks_off_is_a_failure(project: Project) -> None:
    body = points(range(3000)).encode()
    with serving() as web, stamina.set_testing(True, attempts=2, cap=True):
        uri = web.put("/a.geojson", body)
        project.contract("a", source={"uri": uri})
        code, before, _ = project.run()
        assert (code, before["a"]["outcome"]) == (0, "published")
        web.put("/a.geojson", body + b" ", cut=[1000] * 9, ranges=False)
        code, found, said = project.run()
    assert (code, found["a"]["outcome"]) == (1, "failed")
    assert found["a"]["version"] is None
    assert "the transfer broke off after 1000 bytes" in found["a"]["reasons"][0]
    assert found["a"]["readers_see"] == before["a"]["version"]
    assert "Traceback" not in said


def test_a_table_that_is_refused_is_a_failure(project: Project, postgres: Cluster) -> None:
    database = postgres.new_database()
    postgres.psql("CREATE SCHEMA gis; CREATE TABLE gis.a (mine int)", database)
    project.dataset("a", publish={"table": "gis.a"})
    code, found, said = project.run(SPATIAL_DATABASE_URL=postgres.dsn(database))
    assert (code, found["a"]["outcome"]) == (1, "failed")
    assert "gis.a" in found["a"]["reasons"][0]
    assert found["a"]["reasons"][0] in said
    assert found["a"]["readers_see"] is None


def test_what_a_blocking_rule_holds_is_held_and_not_a_failure(project: Project) -> None:
    project.dataset("a", [1, 1], rules=[{"rule": "unique", "columns": ["id"]}])
    code, found, _ = project.run()
    assert (code, found["a"]["outcome"]) == (1, "held")
    assert any("unique" in reason for reason in found["a"]["reasons"])


def test_a_folder_that_cannot_be_written_stops_no_other_dataset(project: Project) -> None:
    project.dataset("a")
    project.dataset("b")
    project.store.mkdir()
    (project.store / "a").write_text("")
    code, found, _ = project.run()
    assert (code, found["a"]["outcome"]) == (1, "failed")
    assert found["a"]["reasons"]
    assert found["b"]["outcome"] == "published"


def test_dagster_without_a_home_says_so(project: Project, tmp_path: Path) -> None:
    project.dataset("a")
    file = tmp_path / "file"
    file.write_text("")
    done = project.call("run", "--contracts", project.folder, "--json", DAGSTER_HOME=str(file))
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"DAGSTER_HOME={file}" in done.stderr


def test_one_dataset_is_not_stopped_by_the_mistakes_of_others(project: Project) -> None:
    project.dataset("a")
    project.contract("b", rules=[{"rule": "uniqe"}])
    (project.folder / "c.yaml").write_text("type: spatial_pipeline.VectorDataset\n a: [")
    for command in ("run", "rollback", "accept"):
        done = project.call(command, "a", "--contracts", project.folder)
        assert done.exit_code == (0 if command == "run" else 1), done.stderr
        assert "left out: " in done.stderr
        assert "b.yaml:7: unknown rule 'uniqe'" in done.stderr
    everything = project.call("run", "--contracts", project.folder)
    assert everything.exit_code == 2


def test_one_dataset_needs_the_datasets_that_it_refers_to(project: Project) -> None:
    other = {"rule": "same_count_as", "other": {"dataset": "b"}}
    project.dataset("a", rules=[other])
    project.contract("b", rules=[{"rule": "uniqe"}])
    done = project.call("run", "a", "--contracts", project.folder)
    assert done.exit_code == 2
    assert "unknown rule 'uniqe'" in done.stderr
    project.contract("a", rules=[{**other, "other": {"dataset": "bb"}}])
    done = project.call("run", "a", "--contracts", project.folder)
    assert done.exit_code == 2
    assert "there is no dataset 'bb'; did you mean 'b'?" in done.stderr


def test_a_name_that_a_broken_file_may_hide_shows_the_mistakes_of_that_file(
    project: Project,
) -> None:
    project.dataset("a")
    (project.folder / "c.yaml").write_text("type: spatial_pipeline.VectorDataset\n a: [")
    done = project.call("run", "c", "--contracts", project.folder)
    assert done.exit_code == 2
    assert "c.yaml" in done.stderr
    (project.folder / "c.yaml").unlink()
    done = project.call("run", "c", "--contracts", project.folder)
    assert done.exit_code == 2
    assert "there is no dataset 'c'" in done.stderr


def test_it_shows_the_progress_of_each_stage(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.source("north")
    project.source("south")
    parts = {"static": ["north", "south"]}
    project.contract("a", source={"uri": "{partition}.geojson"}, partitions=parts)
    shown: dict[tuple[str, str], tuple[int, int | None]] = {}

    @contextmanager
    def bars(*, quiet: bool = False) -> Iterator[Any]:
        def show(dataset: str, stage: str, done: int, total: int | None) -> None:
            shown[dataset, stage] = done, total

        yield (lambda *_: None) if quiet else show

    monkeypatch.setattr(module, "progress_bars", bars)
    assert project.run()[0] == 0
    assert set(shown) == {(f"a[{p}]", s) for p in parts["static"] for s in ("ingest", "check")}
    assert all(done == total for done, total in shown.values())
    shown.clear()
    assert project.call("run", "--contracts", project.folder, "--quiet").exit_code == 0
    assert shown == {}

"""Pruning and verification of what a real server holds."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import database_of
from spatial_pipeline.pipeline.retention import PrunedPartition, prune_versions, targets
from spatial_pipeline.pipeline.store_audit import StoreReport, verify_store
from spatial_pipeline.publish.postgis.retention import nobody_publishes
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract
from spatial_pipeline_tests.publish.postgis.test_ownership import dumped_and_restored


@pytest.fixture
def versions(project: Project) -> list[Version]:
    """Four published versions of 3, 4, 5 and 6 points."""
    of, made = contract(project.folder), []
    for mark in range(4):
        made.append(project.proven(of, 3 + mark, mark))
        asyncio.run(project.pipeline(of).apublish(of, made[-1]))
    return made


def sql(project: Project, statement: str) -> list[Any]:
    async def work() -> list[Any]:
        connection = await asyncpg.connect(project.dsn)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(work())


def prune(project: Project, keep: int = 1, *, dry_run: bool = False) -> PrunedPartition:
    store = project.pipeline().store
    wanted = targets(store, Retention(keep=keep, days=0))
    (only,) = asyncio.run(
        prune_versions(
            store,
            database_of(project.settings()),
            wanted,
            dry_run=dry_run,
            now=time.time() + 86_400,
        )
    )
    return only


def verified(project: Project) -> StoreReport:
    return asyncio.run(verify_store(project.pipeline().store, database_of(project.settings())))


def recorded(project: Project) -> set[str]:
    return {r["version"] for r in sql(project, "SELECT version FROM spatial_pipeline.versions")}


def test_records_of_old_versions_go_and_readers_see_the_same(
    project: Project, versions: list[Version]
) -> None:
    dry = prune(project, dry_run=True)
    assert recorded(project) == {v.id for v in versions}
    done = prune(project)
    assert done == dry
    assert {r.version for r in done.files.removed} == set(versions[:2])
    assert recorded(project) == {v.id for v in versions[2:]}
    assert sql(project, "SELECT count(*) FROM gis.points")[0][0] == 6
    of = contract(project.folder)
    asyncio.run(project.pipeline(of).roll_back(of))
    assert sql(project, "SELECT count(*) FROM gis.points")[0][0] == 5
    assert verified(project).defects == ()


def test_a_part_of_a_withdrawn_version_is_dropped_with_its_size(
    project: Project, versions: list[Version]
) -> None:
    of = contract(project.folder)
    asyncio.run(project.pipeline(of).roll_back(of))
    project.proven(of, 7, 9)
    done = prune(project)
    assert [r.was for r in done.files.removed if r.version == versions[3]] == ["withdrawn"]
    assert len(done.tables.parts) == 1
    assert done.tables.size > 0
    parts = sql(project, "SELECT version, state FROM spatial_pipeline.parts")
    assert [tuple(p) for p in parts] == [(versions[2].id, "current")]


def test_a_column_of_long_ago_stays_ours(project: Project) -> None:
    """Its record says so: without it the table would be refused as altered by hand."""
    of = contract(project.folder)
    for mark in range(4):
        more = {"extra": "x"} if mark == 0 else {}
        version = project.proven(of, 3, mark, **more)
        pipeline = project.pipeline(of)
        if mark == 1:
            asyncio.run(pipeline.roll_back(of, to=version.id))  # a person accepts the schema
        else:
            asyncio.run(pipeline.apublish(of, version))
    prune(project)
    version = project.proven(of, 8, 8)
    asyncio.run(project.pipeline(of).apublish(of, version))
    assert sql(project, "SELECT count(*) FROM gis.points")[0][0] == 8


def test_rows_written_by_hand_stay(project: Project, versions: list[Version]) -> None:
    (part,) = sql(project, "SELECT part_name FROM spatial_pipeline.parts WHERE state = 'previous'")
    name = f'gis."{part["part_name"]}"'
    sql(project, f"INSERT INTO {name} SELECT 99, mark, geometry FROM {name} LIMIT 1")
    of = contract(project.folder)
    asyncio.run(project.pipeline(of).roll_back(of, to=versions[0].id))
    project.proven(of, 9, 11)
    done = prune(project)
    assert all("written by hand" in s for s in done.stays)
    assert len(done.stays) == 1


def test_while_somebody_publishes_nothing_is_pruned(
    project: Project, versions: list[Version]
) -> None:
    async def work() -> PrunedPartition:
        store = project.pipeline().store
        database = database_of(project.settings())
        assert database is not None
        wanted = targets(store, Retention(keep=1, days=0))
        async with (
            database.opened(),
            database.connection() as connection,
            nobody_publishes(connection, "points", None) as free,
        ):
            assert free
            (only,) = await prune_versions(store, database, wanted, now=time.time() + 86_400)
            return only

    done = asyncio.run(work())
    assert done.stays == ("points is being published",)
    assert {v.id for v in project.pipeline().store.versions("points", None)} == {
        v.id for v in versions
    }


def test_without_the_database_nothing_is_pruned(project: Project, versions: list[Version]) -> None:
    away = Project(project.folder, "postgresql://postgres@127.0.0.1:1/none")
    store = project.pipeline().store
    wanted = targets(store, Retention(keep=1, days=0))
    settings = away.settings(database_acquire_timeout_s=0.5)
    (only,) = asyncio.run(
        prune_versions(store, database_of(settings), wanted, now=time.time() + 86_400)
    )
    assert only.error is not None
    assert {v.id for v in store.versions("points", None)} == {v.id for v in versions}


DAMAGE = {
    "row deleted": "DELETE FROM gis.points WHERE id = 0",
    "row changed": "UPDATE gis.points SET mark = 77 WHERE id = 0",
    "row of a stranger": "INSERT INTO gis.points SELECT * FROM gis.points LIMIT 1",
    "column added": "ALTER TABLE gis.points ADD note text",
    "table dropped": "DROP TABLE gis.points CASCADE",
    "table renamed": "ALTER TABLE gis.points RENAME TO other",
    "record lost": "DELETE FROM spatial_pipeline.versions",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_in_the_database_is_found(
    project: Project, versions: list[Version], how: str
) -> None:
    assert verified(project).defects == ()
    if how == "row of a stranger":
        (part,) = sql(
            project, "SELECT part_name FROM spatial_pipeline.parts WHERE state = 'current'"
        )
        name = f'gis."{part["part_name"]}"'
        sql(project, f"INSERT INTO {name} SELECT 99, mark, geometry FROM {name} LIMIT 1")
    else:
        sql(project, DAMAGE[how])
    report = verified(project)
    assert report.harmed
    assert {d.version for d in report.defects} == {versions[3].id}
    assert all("spatial-pipeline run points" in d.remedy for d in report.defects)


def test_two_pointers_that_differ_are_found(project: Project, versions: list[Version]) -> None:
    folder = project.pipeline().store.folder("points", None)
    value = json.loads((folder / "published.json").read_text())
    value.update(version=versions[0].id, history=[], number=1)
    for name in ("published.json", ".published.json"):
        (folder / name).write_text(json.dumps(value))
    (defect,) = verified(project).defects
    assert f"database see {versions[3].id}, readers of files {versions[0].id}" in defect.problem


def test_after_a_real_restore_everything_is_right_and_can_be_pruned(
    project: Project, postgres: Cluster, versions: list[Version]
) -> None:
    """A dump gives all tables other oids: they are ours all the same, also to be dropped."""
    of = contract(project.folder)
    asyncio.run(project.pipeline(of).roll_back(of))
    project.proven(of, 7, 9)
    restored = dumped_and_restored(project, postgres)
    assert verified(restored).defects == ()
    (part,) = sql(restored, "SELECT part_name FROM spatial_pipeline.parts WHERE state = 'previous'")
    done = prune(restored)
    assert len(done.tables.parts) == 1
    assert done.stays == ()
    left = sql(restored, "SELECT relname FROM pg_class WHERE relname LIKE 'points\\_\\_%'")
    assert part["part_name"] not in {r["relname"] for r in left}
    assert sql(restored, "SELECT count(*) FROM gis.points")[0][0] == 5
    assert verified(restored).defects == ()
    assert versions[2].id in recorded(restored)

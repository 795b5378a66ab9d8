"""An unchanged run proves the rows without reading their values, where the server can tell."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis import parts, tables
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract
from spatial_pipeline_tests.publish.postgis.test_ownership import dumped_and_restored, publish
from spatial_pipeline_tests.publish.postgis.test_publisher import run
from spatial_pipeline_tests.publish.postgis.test_readers import ROW, part_of, script


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The relations whose values were read."""
    digest_of = parts.digest_of
    sources: list[str | None] = []

    async def counted(connection: Any, postgis: Any, part: Any, source: str | None = None) -> Any:
        sources.append(source)
        return await digest_of(connection, postgis, part, source)

    monkeypatch.setattr(parts, "digest_of", counted)
    return sources


STATEMENTS = {
    "nothing": "",
    "frozen": "VACUUM (FREEZE) gis.points",
    "clustered": "CLUSTER {part} USING {name}_pkey",
    "rewritten": "VACUUM FULL {part}",
    "locked rows": "SELECT count(*) FROM (SELECT FROM gis.points FOR UPDATE) AS locked",
    "a rolled back update": "DO $$ BEGIN UPDATE gis.points SET mark = 9; RAISE 'no';"
    " EXCEPTION WHEN raise_exception THEN NULL; END $$",
}


@pytest.mark.parametrize("how", STATEMENTS)
def test_values_are_not_read_where_nothing_was_written(
    project: Project, read: list[str | None], how: str
) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    part = part_of(project)
    if STATEMENTS[how]:
        run(project.dsn, STATEMENTS[how].format(part=part, name=part.partition(".")[2]))
    read.clear()
    asyncio.run(project.pipeline().apublish(of, version))
    assert read == []


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE gis.points SET mark = mark",
        "UPDATE spatial_pipeline.parts SET written = written - 3000000000",
        "UPDATE spatial_pipeline.parts SET written = NULL",
        "ALTER TABLE gis.points SET UNLOGGED; ALTER TABLE {part} SET UNLOGGED",
    ],
)
def test_otherwise_they_are_read_through_the_name_of_the_table(
    project: Project, read: list[str | None], how: str
) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    script(project.dsn, how.format(part=part_of(project)))
    read.clear()
    asyncio.run(project.pipeline().apublish(of, version))
    assert read == ['"gis"."points"']


@pytest.mark.parametrize("rewritten", [False, True])
def test_after_a_restore_the_values_are_read_once(
    project: Project, postgres: Cluster, read: list[str | None], rewritten: bool
) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    restored = dumped_and_restored(project, postgres)
    if rewritten:
        run(restored.dsn, "UPDATE gis.points SET mark = mark")
    read.clear()
    for _ in range(3):
        asyncio.run(restored.pipeline().apublish(of, version))
    assert read == ['"gis"."points"']
    run(restored.dsn, "UPDATE gis.points SET mark = 9 WHERE id = 1")
    for _ in range(2):
        with pytest.raises(StoreError, match="changed by hand"):
            asyncio.run(restored.pipeline().apublish(of, version))


def test_values_that_are_not_the_proven_ones_are_never_remembered(
    project: Project, read: list[str | None]
) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    before = run(project.dsn, "SELECT relation, written FROM spatial_pipeline.parts")
    run(project.dsn, "UPDATE gis.points SET mark = 9")
    for _ in range(2):
        with pytest.raises(StoreError, match="changed by hand"):
            asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT relation, written FROM spatial_pipeline.parts") == before
    # Rows of several transactions are proven each time.
    script(project.dsn, "UPDATE gis.points SET mark = 0 WHERE id < 3")
    run(project.dsn, "UPDATE gis.points SET mark = 0 WHERE id >= 3")
    read.clear()
    for _ in range(2):
        asyncio.run(project.pipeline().apublish(of, version))
    assert len(read) == 2


def test_each_partition_is_proven_by_its_own_part(project: Project, read: list[str | None]) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.geojson")},
        partitions={"static": ["a", "b"]},
    )
    a = publish(project, of, 5, partition="a")
    b = publish(project, of, 6, mark=1, partition="b")
    pipeline = project.pipeline(of)
    read.clear()
    for version in (a, b):
        asyncio.run(pipeline.apublish(of, version))
    assert read == []
    run(project.dsn, "DELETE FROM gis.points WHERE mark = 1 AND id = 0")
    asyncio.run(pipeline.apublish(of, a))
    with pytest.raises(StoreError, match=r"changed by hand .*5 rows of 6"):
        asyncio.run(pipeline.apublish(of, b))


def test_the_publication_itself_says_when_readers_see_something_else(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = contract(project.folder)
    exchange = tables.exchange

    async def then_a_hand(connection: Any, *args: Any) -> None:
        await exchange(connection, *args)
        await connection.execute(f"INSERT INTO gis.points {ROW}")

    monkeypatch.setattr(tables, "exchange", then_a_hand)
    with pytest.raises(StoreError, match="1 rows were inserted by hand"):
        publish(project, of, 5)
    monkeypatch.undo()
    assert project.pipeline().store.published("points", None) is None


def test_readers_find_an_extent_and_a_number_of_rows_without_reading(project: Project) -> None:
    of = contract(project.folder)
    publish(project, of, 50)
    extent = "SELECT round(ST_XMax(ST_EstimatedExtent('gis', 'points', 'geometry')))::int"
    assert run(project.dsn, extent) == [(49,)]
    publish(project, of, 80, mark=3)
    assert run(project.dsn, extent) == [(79,)]

    async def estimated() -> float:
        connection = await asyncpg.connect(project.dsn)
        try:
            (plan,) = json.loads(
                await connection.fetchval("EXPLAIN (FORMAT JSON) SELECT * FROM gis.points")
            )
            return float(plan["Plan"]["Plan Rows"])
        finally:
            await connection.close()

    assert 80 <= asyncio.run(estimated()) <= 81


@pytest.mark.parametrize("limited", [False, True], ids=["all", "filtered"])
def test_new_parts_are_replicated_as_their_table_is(project: Project, limited: bool) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    what = "gis.points (id, mark) WHERE (id < 3)" if limited else "gis.points"
    ((version,),) = run(project.dsn, "SELECT current_setting('server_version_num')::int")
    if limited and version < 150000:
        pytest.skip("row filters came with PostgreSQL 15")
    run(project.dsn, f"CREATE PUBLICATION copy FOR TABLE {what} WITH (publish = 'insert')")
    publish(project, of, 6)
    part = part_of(project)
    shown = run(
        project.dsn,
        "SELECT attnames::text[], rowfilter FROM pg_publication_tables"
        f" WHERE pubname = 'copy' AND schemaname || '.' || tablename = '{part}'",
    )
    expected = (["id", "mark"], "(id < 3)") if limited else (["id", "mark", "geometry"], None)
    assert shown == [expected]

"""Publishing to a real table: whole versions, one identity, one transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.publish import table
from spatial_pipeline.publish.postgis import publisher as module
from spatial_pipeline.publish.postgis.pool import Database
from spatial_pipeline.settings import Settings
from spatial_pipeline.store import locks
from spatial_pipeline_tests.pages import snippets
from spatial_pipeline_tests.publish.postgis.projects import (
    Project,
    contract,
    idle_or_busy,
    stray_tables,
)


async def fetch(dsn: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(r) for r in await connection.fetch(statement, *values)]
    finally:
        await connection.close()


def run(dsn: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return asyncio.run(fetch(dsn, statement, *values))


def test_a_published_table_is_typed_keyed_indexed_and_described(project: Project) -> None:
    of = contract(project.folder, description='Where "it\'s" at; -- really')
    publication = asyncio.run(project.pipeline().apublish(of, project.proven(of, 3, 7)))
    rows = run(
        project.dsn,
        "SELECT id, mark, ST_AsText(geometry), ST_SRID(geometry) FROM gis.points ORDER BY id",
    )
    assert rows == [(i, 7, f"POINT({i} 7)", 4326) for i in range(3)]
    declared = run(
        project.dsn,
        "SELECT type, srid, coord_dimension FROM geometry_columns WHERE f_table_name = 'points'",
    )
    assert declared == [("POINT", 4326, 2)]
    indexes = run(
        project.dsn, "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'points\\_\\_%'"
    )
    assert any("USING gist (geometry)" in i for (i,) in indexes)
    assert any("UNIQUE" in i and "(id)" in i for (i,) in indexes)
    comment = run(project.dsn, "SELECT obj_description('gis.points'::regclass)")
    assert comment == [(of.description,)]
    assert project.pipeline().store.published("points", None) == publication
    recorded = run(
        project.dsn,
        "SELECT p.version, v.verdict ->> 'version', v.profile ->> 'count'"
        " FROM spatial_pipeline.publications p JOIN spatial_pipeline.versions v USING (version)",
    )
    assert recorded == [(publication.version, publication.version, "3")]


def test_publishing_again_changes_nothing(project: Project) -> None:
    of = contract(project.folder)
    version = project.proven(of, 3)
    first = asyncio.run(project.pipeline().apublish(of, version))
    before = run(project.dsn, "SELECT xmin::text, * FROM spatial_pipeline.publications")
    assert asyncio.run(project.pipeline().apublish(of, version)) == first
    assert run(project.dsn, "SELECT xmin::text, * FROM spatial_pipeline.publications") == before


def test_readers_see_whole_versions_during_twenty_publications(project: Project) -> None:
    of = contract(project.folder)
    versions = [project.proven(of, 300 + i, i) for i in range(20)]
    asyncio.run(project.pipeline().apublish(of, versions[0]))
    run(project.dsn, "CREATE VIEW gis.seen AS SELECT id, mark, geometry FROM gis.points")
    role = f"reader_{project.dsn.rpartition('_')[2]}"
    run(project.dsn, f"CREATE ROLE {role}")
    run(project.dsn, f"GRANT USAGE ON SCHEMA gis TO {role}")
    run(project.dsn, f"GRANT SELECT ON gis.points TO {role}")
    identity = run(project.dsn, "SELECT 'gis.points'::regclass::oid")
    whole = {(i, 300 + i) for i in range(20)}
    seen: list[tuple[int, int]] = []
    over = asyncio.Event()

    async def read(source: str, *, repeatable: bool) -> None:
        connection = await asyncpg.connect(project.dsn)
        await connection.execute(f"SET ROLE {role}" if source == "gis.points" else "RESET ROLE")
        level = "repeatable_read" if repeatable else "read_committed"
        try:
            while not over.is_set():
                async with connection.transaction(isolation=level):
                    if repeatable:
                        await connection.fetchval("SELECT 1")
                        await asyncio.sleep(0.01)
                    rows = await connection.fetch(
                        f"SELECT mark, count(*) AS n FROM {source} GROUP BY mark"
                    )
                    assert len(rows) == 1, rows
                    seen.append((rows[0]["mark"], rows[0]["n"]))
                    if repeatable:
                        again = await connection.fetch(
                            f"SELECT mark, count(*) AS n FROM {source} GROUP BY mark"
                        )
                        assert again == rows
        finally:
            await connection.close()

    async def story() -> None:
        pipeline = project.pipeline()
        async with asyncio.TaskGroup() as group:
            for source in ("gis.points", "gis.seen"):
                for repeatable in (False, True):
                    group.create_task(read(source, repeatable=repeatable))
            for version in versions[1:]:
                await pipeline.apublish(of, version)
            over.set()

    asyncio.run(story())
    assert set(seen) <= whole
    assert len(set(seen)) > 10
    assert run(project.dsn, "SELECT 'gis.points'::regclass::oid") == identity
    assert run(project.dsn, "SELECT DISTINCT mark FROM gis.seen") == [(19,)]
    assert run(project.dsn, f"SELECT has_table_privilege('{role}', 'gis.points', 'SELECT')") == [
        (True,)
    ]
    states = run(project.dsn, "SELECT state FROM spatial_pipeline.parts ORDER BY state")
    assert states == [("current",), ("previous",)]
    assert asyncio.run(stray_tables(project.dsn)) == []
    run(project.dsn, f"DROP OWNED BY {role}")
    run(project.dsn, f"DROP ROLE {role}")


def test_partitions_are_published_one_by_one(project: Project) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.geojson")},
        partitions={"static": ["north", 'south\' "DROP" x --']},
    )
    pipeline = project.pipeline(of)
    north, south = of.partitions.static  # type: ignore[union-attr]
    asyncio.run(pipeline.apublish(of, project.proven(of, 3, 1, north)))
    asyncio.run(pipeline.apublish(of, project.proven(of, 4, 2, south)))
    kept = run(project.dsn, "SELECT tableoid, xmin::text, id FROM gis.points WHERE mark = 1")
    asyncio.run(pipeline.apublish(of, project.proven(of, 5, 3, south)))
    counts = run(project.dsn, "SELECT mark, count(*) FROM gis.points GROUP BY mark ORDER BY mark")
    assert counts == [(1, 3), (3, 5)]
    after = run(project.dsn, "SELECT tableoid, xmin::text, id FROM gis.points WHERE mark = 1")
    assert after == kept


def test_a_partition_with_a_new_column_fits_in(project: Project) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.geojson")},
        partitions={"static": ["a", "b"]},
        on_schema_change="backfill",
    )
    pipeline = project.pipeline(of)
    asyncio.run(pipeline.apublish(of, project.proven(of, 1, 1, "a")))
    asyncio.run(pipeline.apublish(of, project.proven(of, 1, 2, "b", name="x")))
    asyncio.run(pipeline.apublish(of, project.proven(of, 1, 3, "a")))
    rows = run(project.dsn, "SELECT mark, name FROM gis.points ORDER BY mark")
    assert rows == [(2, "x"), (3, None)]
    with pytest.raises(StoreError, match=r"'name' is text in the other partitions and integer"):
        asyncio.run(pipeline.apublish(of, project.proven(of, 1, 4, "a", name=5)))
    assert run(project.dsn, "SELECT mark, name FROM gis.points ORDER BY mark") == rows


def test_columns_change_with_the_version_unless_a_view_needs_them(project: Project) -> None:
    of = contract(project.folder, on_schema_change="backfill")
    pipeline = project.pipeline(of)
    asyncio.run(pipeline.apublish(of, project.proven(of, 1, 1, name="x")))
    asyncio.run(pipeline.apublish(of, project.proven(of, 1, 2, size=1.5)))
    assert run(project.dsn, "SELECT id, mark, size FROM gis.points") == [(0, 2, 1.5)]
    run(project.dsn, "CREATE VIEW gis.sizes AS SELECT size FROM gis.points")
    with pytest.raises(StoreError, match=r"view gis\.sizes depends on column size"):
        asyncio.run(pipeline.apublish(of, project.proven(of, 1, 3)))
    assert run(project.dsn, "SELECT * FROM gis.sizes") == [(1.5,)]
    with pytest.raises(StoreError, match="used by a view"):
        asyncio.run(pipeline.apublish(of, project.proven(of, 1, 4, size="big")))
    assert pipeline.read("points").profile.columns[-1].name == "size"
    assert run(project.dsn, "SELECT mark, size FROM gis.points") == [(2, 1.5)]


def test_geometry_types_widen_and_stay_wide(project: Project) -> None:
    of = contract(project.folder, on_schema_change="backfill")
    pipeline = project.pipeline(of)

    def declared() -> list[tuple[Any, ...]]:
        return run(
            project.dsn,
            "SELECT type, srid FROM geometry_columns WHERE f_table_name = 'points'",
        )

    asyncio.run(pipeline.apublish(of, project.proven(of, 2)))
    assert declared() == [("POINT", 4326)]
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    asyncio.run(pipeline.apublish(of, project.proven(of, 2, geometry=[line])))
    assert declared() == [("LINESTRING", 4326)]
    point = {"type": "Point", "coordinates": [0, 0]}
    asyncio.run(pipeline.apublish(of, project.proven(of, 2, geometry=[line, point])))
    assert declared() == [("GEOMETRY", 4326)]
    run(project.dsn, "CREATE VIEW gis.seen AS SELECT geometry FROM gis.points")
    asyncio.run(pipeline.apublish(of, project.proven(of, 3, geometry=[line])))
    assert declared() == [("GEOMETRY", 4326)]
    assert run(project.dsn, "SELECT DISTINCT ST_AsEWKT(geometry) FROM gis.seen") == [
        ("SRID=4326;LINESTRING(0 0,1 1)",)
    ]


def test_rollback_attaches_the_part_that_was_kept(project: Project) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    one, two = project.proven(of, 3, 1), project.proven(of, 4, 2)
    asyncio.run(pipeline.apublish(of, one))
    part = run(project.dsn, "SELECT DISTINCT tableoid FROM gis.points")
    asyncio.run(pipeline.apublish(of, two))
    publication = asyncio.run(pipeline.roll_back(of))
    assert publication.version == one.id
    assert run(project.dsn, "SELECT DISTINCT tableoid FROM gis.points") == part
    assert run(project.dsn, "SELECT withdrawn FROM spatial_pipeline.publications") == [([two.id],)]
    with pytest.raises(GateClosedError, match="withdrawn by a rollback"):
        asyncio.run(pipeline.apublish(of, two))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(3,)]


def test_an_unproven_version_reaches_neither_pointer(project: Project) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    asyncio.run(pipeline.apublish(of, project.proven(of, 3, 1)))
    tight = contract(project.folder, rules=[{"rule": "feature_count", "min": 100}])
    before = run(project.dsn, "SELECT * FROM spatial_pipeline.publications")
    with pytest.raises(GateClosedError, match="feature_count: never checked"):
        asyncio.run(pipeline.apublish(tight, project.proven(of, 4, 2)))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(3,)]
    assert run(project.dsn, "SELECT * FROM spatial_pipeline.publications") == before


def test_a_gate_that_closes_during_the_copy_holds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    asyncio.run(pipeline.apublish(of, project.proven(of, 3, 1)))
    second = project.proven(of, 4, 2)
    finish = module.parts.finish

    async def closing(*args: Any) -> None:
        await finish(*args)
        (pipeline.store.path(second) / "verdict.json").unlink()

    monkeypatch.setattr(module.parts, "finish", closing)
    with pytest.raises(GateClosedError, match="never checked"):
        asyncio.run(pipeline.apublish(of, second))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(3,)]
    assert asyncio.run(stray_tables(project.dsn)) == []


@pytest.mark.parametrize("what", ["attributes", "geometry", "count"])
def test_rows_that_are_not_the_staged_ones_are_not_published(
    project: Project, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    asyncio.run(pipeline.apublish(of, project.proven(of, 3, 1)))
    fill = module.parts.fill
    damage = {
        "attributes": "UPDATE {0} SET mark = mark + 1 WHERE id = 0",
        "geometry": "UPDATE {0} SET geometry = ST_Translate(geometry, 1e-9, 0) WHERE id = 0",
        "count": "DELETE FROM {0} WHERE id = 0",
    }[what]

    async def damaged(connection: Any, part: Any, stream: Any) -> None:
        await fill(connection, part, stream)
        await connection.execute(damage.format(module.quoted_table(part.name)))

    monkeypatch.setattr(module.parts, "fill", damaged)
    with pytest.raises(StoreError, match=f"published_matches_staged failed.* differs in .*{what}"):
        asyncio.run(pipeline.apublish(of, project.proven(of, 4, 2)))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(3,)]


def test_a_crash_between_commit_and_the_file_is_repaired_by_the_next_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    one, two = project.proven(of, 3, 1), project.proven(of, 4, 2)
    asyncio.run(pipeline.apublish(of, one))

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(table, "_switched", killed)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(pipeline.apublish(of, two))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(4,)]
    assert pipeline.store.published_version("points", None) == one
    asyncio.run(pipeline.apublish(of, two))
    assert pipeline.store.published_version("points", None) == two


def test_a_held_run_repairs_the_file_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    of = contract(project.folder)
    pipeline = project.pipeline()
    two = project.proven(of, 4, 2)

    async def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(table, "_switched", killed)
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(pipeline.apublish(of, two))
    tight = contract(project.folder, rules=[{"rule": "feature_count", "min": 99}])
    with pytest.raises(GateClosedError):
        asyncio.run(pipeline.apublish(tight, two))
    assert pipeline.store.published_version("points", None) == two


def test_without_a_database_the_contract_is_held_with_the_reason(project: Project) -> None:
    of = contract(project.folder)
    version = project.proven(of, 3)
    alone = Pipeline.of([of], Settings(store=project.folder / "store"))
    reason = "publish.table is gis.points, but SPATIAL_DATABASE_URL is not set"
    for publish in (lambda: asyncio.run(alone.apublish(of, version)),
                    lambda: alone.publish(of, version)):  # fmt: skip
        with pytest.raises(GateClosedError, match=reason):
            publish()
    assert alone.decide(of, version).reasons == (reason,)
    assert alone.store.published("points", None) is None


def test_a_contract_without_a_table_does_not_touch_the_database(project: Project) -> None:
    of = contract(project.folder, publish=None)
    version = project.proven(of, 3)
    settings = Settings(store=project.folder / "store", database_url="postgresql://127.0.0.1:1/x")
    asyncio.run(Pipeline.of([of], settings).apublish(of, version))
    assert Pipeline.of([of], settings).store.published_version("points", None) == version


def test_tables_of_others_are_left_alone(project: Project) -> None:
    of = contract(project.folder)
    version = project.proven(of, 3)
    run(project.dsn, "CREATE TABLE gis.points (precious int)")
    with pytest.raises(StoreError, match=r"gis\.points exists and was not made by"):
        asyncio.run(project.pipeline().apublish(of, version))
    run(project.dsn, "DROP TABLE gis.points")
    asyncio.run(project.pipeline().apublish(of, version))
    other = contract(project.folder, "others", publish={"table": "gis.points"})
    with pytest.raises(StoreError, match="holds the dataset 'points'"):
        asyncio.run(project.pipeline(other).apublish(other, project.proven(other, 1)))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(3,)]


def test_what_is_missing_on_the_server_is_named(project: Project) -> None:
    of = contract(project.folder, publish={"table": "nowhere.points"})
    version = project.proven(of, 3)
    with pytest.raises(StoreError, match="no schema 'nowhere'"):
        asyncio.run(project.pipeline(of).apublish(of, version))
    run(project.dsn, "DROP EXTENSION postgis CASCADE")
    with pytest.raises(StoreError, match="CREATE EXTENSION postgis"):
        asyncio.run(project.pipeline(of).apublish(of, version))


def test_a_key_that_does_not_identify_is_refused(project: Project) -> None:
    of = contract(project.folder, key=["mark"], rules=[{"rule": "not_empty"}])
    with pytest.raises(StoreError, match=r"key does not identify the rows: Key \(mark\)=\(0\)"):
        asyncio.run(project.pipeline(of).apublish(of, project.proven(of, 3)))
    assert asyncio.run(stray_tables(project.dsn)) == []


def test_another_table_is_said_and_the_way_out_works(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    of = contract(project.folder)
    asyncio.run(project.pipeline().apublish(of, project.proven(of, 5, 1)))
    moved = contract(project.folder, publish={"table": "gis.moved"})
    with caplog.at_level("WARNING", "spatial_pipeline"):
        asyncio.run(project.pipeline(moved).apublish(moved, project.proven(moved, 6, 2)))

    # In its debug mode asyncio has something to say too.
    def warnings() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.name == "spatial_pipeline"]

    (said,) = warnings()
    assert said.startswith("points goes to gis.moved now; gis.points keeps what")
    counted, dropped = (s.text for s in snippets("docs/postgis.md", "sql"))
    statements = dropped.splitlines()
    assert len(statements) == 3

    async def tidy() -> list[str]:
        connection = await asyncpg.connect(project.dsn)
        try:
            counting = counted.replace("gis.counties", "gis.points")
            assert await connection.fetchval(counting) == 5
            for statement in statements:
                await connection.execute(
                    statement.replace("gis.old", "gis.points").replace("'old'", "'points'")
                )
            found = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'gis'::regnamespace"
                " AND relkind = 'r'"
            )
            return sorted(r["relname"] for r in found)
        finally:
            await connection.close()

    tables = asyncio.run(tidy())
    assert len(tables) == 2
    assert tables[0] == "moved"
    caplog.clear()
    asyncio.run(project.pipeline(moved).apublish(moved, project.proven(moved, 7, 3)))
    assert warnings() == []


def test_a_reader_that_never_ends_holds_the_exchange_and_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.1)
    of = contract(project.folder)
    pipeline = project.pipeline()
    one, two = project.proven(of, 3, 1), project.proven(of, 4, 2)
    asyncio.run(pipeline.apublish(of, one))
    assert pipeline.database is not None
    address = pipeline.database.address
    hasty = Database(type(address)(address.dsn, lock_timeout_s=0.05, lock_attempts=3))
    impatient = Pipeline.of([of], project.settings(), database=hasty)

    async def story() -> None:
        reader = await asyncpg.connect(project.dsn)
        try:
            async with reader.transaction():
                await reader.fetchval("SELECT count(*) FROM gis.points")
                pid = reader.get_server_pid()
                with pytest.raises(StoreError, match=rf"session {pid} of .* holds it longer"):
                    await impatient.apublish(of, two)
                assert f"gis.points is held by session {pid} of" in caplog.text
                assert await reader.fetchval("SELECT count(*) FROM gis.points") == 3
                patient = asyncio.create_task(pipeline.apublish(of, two))
                await asyncio.sleep(0.5)
                assert not patient.done()
            await patient
            assert await reader.fetchval("SELECT count(*) FROM gis.points") == 4
        finally:
            await reader.close()

    asyncio.run(story())
    assert asyncio.run(idle_or_busy(project.dsn)) == 0


def test_nobody_publishes_a_partition_at_the_same_time(project: Project) -> None:
    of = contract(project.folder)
    versions = [project.proven(of, 10 + i, i) for i in range(6)]

    async def story() -> None:
        pipeline = project.pipeline()
        assert pipeline.database is not None
        async with pipeline.database.opened():
            await asyncio.gather(*(pipeline.apublish(of, v) for v in versions))

    asyncio.run(story())
    pointer = project.pipeline().store.published("points", None)
    assert pointer is not None
    shown = run(project.dsn, "SELECT version FROM spatial_pipeline.publications")
    assert shown == [(pointer.version,)]
    assert len({pointer.version, *pointer.history}) == len(versions)
    counts = run(project.dsn, "SELECT DISTINCT mark, count(*) OVER () FROM gis.points")
    assert [(10 + mark, n) for mark, n in counts] == [(n, n) for _, n in counts]


def test_a_publication_that_waits_names_the_session_and_gives_up(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.05)
    of = contract(project.folder)
    version = project.proven(of, 3)

    async def story() -> int:
        other = await asyncpg.connect(project.dsn)
        await other.execute(
            "SELECT pg_advisory_lock(hashtextextended('spatial_pipeline publish points None', 0))"
        )
        try:
            await project.pipeline(lock_timeout_s=0.3).apublish(of, version)
        finally:
            await other.close()
        return 0

    with pytest.raises(StoreError, match=r"locked by session \d+ of .* since 20.*given up"):
        asyncio.run(story())
    assert "publishing points is locked by session" in caplog.text
    asyncio.run(project.pipeline(lock_timeout_s=0.3).apublish(of, version))

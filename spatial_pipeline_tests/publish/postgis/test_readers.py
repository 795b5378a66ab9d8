"""Readers of a published table see the proven rows, and nobody sees more than the table shows."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.errors import StoreError
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract, stray_tables
from spatial_pipeline_tests.publish.postgis.test_publisher import run


def part_of(project: Project) -> str:
    ((name,),) = run(
        project.dsn,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gis.points'::regclass",
    )
    return str(name)


def script(dsn: str, statements: str) -> None:
    """Several statements in one transaction, as a hand would send them."""

    async def send() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    asyncio.run(send())


@pytest.fixture
def published(project: Project) -> tuple[Project, Any, Any]:
    of = contract(project.folder)
    version = project.proven(of, 5)
    asyncio.run(project.pipeline().apublish(of, version))
    return project, of, version


ROW = "(id, mark, geometry) VALUES (77, 1, ST_SetSRID(ST_MakePoint(1, 2), 4326))"
TRIGGER = "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
TAMPERED = {
    "inserted into the parent": (
        f"INSERT INTO gis.points {ROW}",
        "1 rows were inserted by hand",
    ),
    "inserted into the part": (
        f"INSERT INTO {{part}} {ROW}",
        "changed by hand .*6 rows of 5",
    ),
    "deleted": (
        "DELETE FROM gis.points WHERE id < 3",
        "changed by hand .*2 rows of 5",
    ),
    "emptied": (
        "TRUNCATE gis.points",
        "changed by hand .*0 rows of 5",
    ),
    "one for another": (
        f"WITH gone AS (DELETE FROM gis.points WHERE id = 1) INSERT INTO {{part}} {ROW}",
        "5 rows of 5",
    ),
    "an attribute": (
        "UPDATE gis.points SET mark = 99 WHERE id = 1",
        "5 rows of 5",
    ),
    "a geometry": (
        "UPDATE gis.points SET geometry = ST_Translate(geometry, 1, 0) WHERE id = 1",
        "5 rows of 5",
    ),
    "the SRID": (
        (
            "ALTER TABLE gis.points ALTER geometry TYPE geometry(Point, 3857) USING"
            " ST_SetSRID(geometry, 3857)"
        ),
        "5 geometries were given another SRID than 4326",
    ),
    "a type": (
        "ALTER TABLE gis.points ALTER mark TYPE bigint",
        "5 rows of 5",
    ),
    "a column dropped": (
        "ALTER TABLE gis.points DROP mark",
        "column 'mark' was dropped by hand",
    ),
    "columns swapped": (
        (
            "ALTER TABLE gis.points RENAME id TO x; ALTER TABLE gis.points RENAME mark TO"
            " id;ALTER TABLE gis.points RENAME x TO mark"
        ),
        "5 rows of 5",
    ),
    "a column renamed": (
        "ALTER TABLE gis.points RENAME mark TO brand",
        "'brand' was added by hand",
    ),
    "a column added": (
        "ALTER TABLE gis.points ADD note text",
        "'note' was added by hand",
    ),
    "a child of the parent": (
        "CREATE TABLE gis.more () INHERITS (gis.points)",
        r"gis\.more inherits from it",
    ),
    "a child of the part": (
        "CREATE TABLE gis.more () INHERITS ({part})",
        r"gis\.more inherits from it",
    ),
    "a trigger on the parent": (
        f"CREATE TRIGGER t BEFORE UPDATE ON gis.points {TRIGGER}",
        'DROP TRIGGER "t" ON gis.points',
    ),
    "a trigger on the part": (
        f"CREATE TRIGGER t BEFORE UPDATE ON {{part}} {TRIGGER}",
        'DROP TRIGGER "t" ON gis.points',
    ),
    "a rule on the parent": (
        "CREATE RULE r AS ON INSERT TO gis.points DO INSTEAD NOTHING",
        'DROP RULE "r" ON gis.points',
    ),
    "a rule on the part": (
        "CREATE RULE r AS ON DELETE TO {part} DO INSTEAD NOTHING",
        'DROP RULE "r" ON gis.points',
    ),
    "the table renamed": (
        "ALTER TABLE gis.points RENAME TO old",
        r"was renamed to gis\.old, .* rename it back",
    ),
    "the table moved": (
        "CREATE SCHEMA other; ALTER TABLE gis.points SET SCHEMA other",
        r"was renamed to other\.points",
    ),
    "a view in its place": (
        "ALTER TABLE gis.points RENAME TO old; CREATE VIEW gis.points AS TABLE gis.old",
        r"was renamed to gis\.old",
    ),
    "a materialized view in its place": (
        ("DROP TABLE gis.points CASCADE; CREATE MATERIALIZED VIEW gis.points AS SELECT 1 AS id"),
        "made again by somebody else",
    ),
    "a partitioned table in its place": (
        ("DROP TABLE gis.points CASCADE;CREATE TABLE gis.points (id int) PARTITION BY LIST (id)"),
        "made again by somebody else",
    ),
    "a foreign table in its place": (
        (
            "DROP TABLE gis.points CASCADE; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s"
            " FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE gis.points (id int) SERVER s"
        ),
        "made again by somebody else",
    ),
    "the part made again": (
        (
            "CREATE TABLE gis.mine AS TABLE {part}; DROP TABLE {part};ALTER TABLE gis.mine"
            " RENAME TO {name}"
        ),
        "exists, and no publication made it",
    ),
    "the part made again and attached": (
        (
            "CREATE TABLE gis.mine AS TABLE {part}; DROP TABLE {part};ALTER TABLE gis.mine"
            " RENAME TO {name}; ALTER TABLE {part} INHERIT gis.points"
        ),
        "inherits from it",
    ),
}


@pytest.fixture(scope="module")
def origin(
    postgres: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Any, Any]:
    """A published table in a database that copies faster than it is made."""
    catalogue.load()
    database = f"origin_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {database} TEMPLATE {template}")
    project = Project(tmp_path_factory.mktemp("origin"), postgres.dsn(database))
    of = contract(project.folder)
    version = project.proven(of, 5)
    asyncio.run(project.pipeline().apublish(of, version))
    return database, project.folder, of, version


@pytest.mark.parametrize("how", TAMPERED)
def test_the_next_run_finds_what_was_done_by_hand(
    postgres: Cluster, origin: tuple[str, Path, Any, Any], how: str
) -> None:
    database, folder, of, version = origin
    copy = f"copy_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {copy} TEMPLATE {database}")
    project = Project(folder, postgres.dsn(copy))
    statement, reason = TAMPERED[how]
    part = part_of(project)
    script(project.dsn, statement.format(part=part, name=part.partition(".")[2]))
    with pytest.raises(StoreError, match=reason):
        asyncio.run(project.pipeline().apublish(of, version))


@pytest.mark.parametrize("how", ["inserted into the parent", "a child of the parent"])
def test_another_version_is_not_published_among_strange_rows(
    published: tuple[Project, Any, Any], how: str
) -> None:
    project, of, version = published
    statement, reason = TAMPERED[how]
    run(project.dsn, statement)
    with pytest.raises(StoreError, match=reason):
        asyncio.run(project.pipeline().apublish(of, project.proven(of, 9)))
    assert project.pipeline().store.published_version("points", None) == version


def test_the_way_out_works(published: tuple[Project, Any, Any]) -> None:
    project, of, version = published
    run(project.dsn, "DELETE FROM gis.points")
    run(project.dsn, f"DROP TABLE {part_of(project)}")
    asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]
    asyncio.run(project.pipeline().apublish(of, version))


def test_a_publication_of_an_earlier_release_is_proven_again(
    published: tuple[Project, Any, Any],
) -> None:
    project, of, version = published
    run(project.dsn, "UPDATE spatial_pipeline.parts SET row_count = NULL")
    run(project.dsn, "UPDATE gis.points SET mark = 99 WHERE id = 1")
    with pytest.raises(StoreError, match="published_matches_staged failed"):
        asyncio.run(project.pipeline().apublish(of, version))
    run(project.dsn, "UPDATE gis.points SET mark = 0 WHERE id = 1")
    asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT row_count FROM spatial_pipeline.parts") == [(5,)]


def test_a_table_that_was_made_again_by_hand_is_refused(
    published: tuple[Project, Any, Any],
) -> None:
    project, of, version = published
    run(project.dsn, "DROP TABLE gis.points CASCADE")
    run(project.dsn, "CREATE TABLE gis.points (precious int)")
    run(project.dsn, "INSERT INTO gis.points VALUES (1)")
    for again in (version, project.proven(of, 9)):
        with pytest.raises(StoreError, match="made again by somebody else"):
            asyncio.run(project.pipeline().apublish(of, again))
    assert run(project.dsn, "SELECT precious FROM gis.points") == [(1,)]
    run(project.dsn, "DROP TABLE gis.points")
    asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]


def test_after_a_restore_the_table_is_still_ours(published: tuple[Project, Any, Any]) -> None:
    project, of, _ = published
    run(project.dsn, "UPDATE spatial_pipeline.tables SET relation = 1")
    asyncio.run(project.pipeline().apublish(of, project.proven(of, 9)))
    assert run(
        project.dsn, "SELECT relation = 'gis.points'::regclass FROM spatial_pipeline.tables"
    ) == [(True,)]


def test_a_column_that_was_added_by_hand_is_not_dropped(
    published: tuple[Project, Any, Any],
) -> None:
    project, of, _ = published
    run(project.dsn, "ALTER TABLE gis.points ADD note text")
    run(project.dsn, "UPDATE gis.points SET note = 'precious'")
    with pytest.raises(StoreError, match="column 'note' was added by hand"):
        asyncio.run(project.pipeline().apublish(of, project.proven(of, 9)))
    assert run(project.dsn, "SELECT DISTINCT note FROM gis.points") == [("precious",)]
    assert asyncio.run(stray_tables(project.dsn)) == []


@pytest.fixture
def reader(project: Project) -> Any:
    name = f"reader_{project.folder.name}".replace("-", "_")[-60:]
    run(project.dsn, f'CREATE ROLE "{name}"')
    run(project.dsn, f'GRANT USAGE ON SCHEMA gis TO "{name}"')
    yield name
    run(project.dsn, f'DROP OWNED BY "{name}"')
    run(project.dsn, f'DROP ROLE "{name}"')


def seen(project: Project, role: str, table: str) -> int | str:
    """Number of rows that a role sees, or why it sees none."""

    async def look() -> int | str:
        connection = await asyncpg.connect(project.dsn)
        try:
            await connection.execute(f'SET ROLE "{role}"')
            return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
        except asyncpg.InsufficientPrivilegeError:
            return "denied"
        finally:
            await connection.close()

    return asyncio.run(look())


def test_policies_and_revokes_of_the_table_hold_for_its_parts(
    published: tuple[Project, Any, Any], reader: str
) -> None:
    project, of, _ = published
    run(project.dsn, f'ALTER DEFAULT PRIVILEGES IN SCHEMA gis GRANT SELECT ON TABLES TO "{reader}"')
    run(project.dsn, f'GRANT SELECT ON gis.points TO "{reader}"')
    run(project.dsn, "ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY")
    run(project.dsn, "CREATE POLICY few ON gis.points FOR SELECT USING (id < 2)")
    asyncio.run(project.pipeline().apublish(of, project.proven(of, 9)))
    assert seen(project, reader, "gis.points") == 2
    assert seen(project, reader, part_of(project)) == "denied"
    run(project.dsn, f'GRANT SELECT ON ALL TABLES IN SCHEMA gis TO "{reader}"')
    assert seen(project, reader, part_of(project)) == 0
    assert seen(project, reader, "gis.points") == 2
    run(project.dsn, f'REVOKE SELECT ON gis.points FROM "{reader}"')
    asyncio.run(project.pipeline().apublish(of, project.proven(of, 4)))
    assert seen(project, reader, "gis.points") == "denied"
    assert seen(project, reader, part_of(project)) == "denied"


def test_without_policies_a_grant_on_the_table_is_enough(
    published: tuple[Project, Any, Any], reader: str
) -> None:
    project, of, _ = published
    run(project.dsn, f'GRANT SELECT ON gis.points TO "{reader}"')
    asyncio.run(project.pipeline().apublish(of, project.proven(of, 9)))
    assert seen(project, reader, "gis.points") == 9
    assert seen(project, reader, part_of(project)) == "denied"

"""What the owner of a published table set up holds, and nothing of others is lost."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.errors import StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.publish.postgis.pool import Database
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract, stray_tables
from spatial_pipeline_tests.publish.postgis.test_publisher import run
from spatial_pipeline_tests.publish.postgis.test_readers import ROW, part_of, script, seen


def publish(project: Project, of: Any, count: int, **more: Any) -> Any:
    version = project.proven(of, count, **more)
    asyncio.run(project.pipeline(of).apublish(of, version))
    return version


@pytest.fixture
def roles(project: Project) -> Iterator[tuple[str, str]]:
    """A role that reads and one that publishes; neither is a superuser."""
    mark = secrets.token_hex(4)
    reader, publisher = f"reader_{mark}", f"publisher_{mark}"
    script(
        project.dsn,
        f"CREATE ROLE {reader}; CREATE ROLE {publisher} LOGIN PASSWORD 'p';"
        f" GRANT USAGE ON SCHEMA gis TO {reader}; GRANT ALL ON SCHEMA gis TO {publisher};"
        f" GRANT CREATE ON DATABASE {project.dsn.rpartition('/')[2]} TO {publisher}",
    )
    yield reader, publisher
    script(
        project.dsn,
        f"DROP OWNED BY {reader}, {publisher} CASCADE; DROP ROLE {reader}, {publisher}",
    )


def as_role(project: Project, role: str) -> Project:
    address = project.dsn.rpartition("@")[2]
    return Project(project.folder, f"postgresql://{role}:p@{address}")


def test_comments_grants_and_policies_of_the_owner_hold_over_new_versions(
    project: Project, roles: tuple[str, str]
) -> None:
    reader, _ = roles
    of = contract(project.folder, description="Ours")
    publish(project, of, 5)
    script(
        project.dsn,
        "COMMENT ON TABLE gis.points IS 'The owner''s'; COMMENT ON COLUMN gis.points.mark IS 'm';"
        f" GRANT SELECT (id, geometry) ON gis.points TO {reader};"
        " ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY;"
        f" CREATE POLICY few ON gis.points FOR SELECT TO {reader} USING (id < 3)",
    )
    publish(project, of, 7, mark=1)
    described = contract(project.folder, description="Ours, in other words")
    publish(project, described, 9, mark=2)
    assert run(
        project.dsn,
        "SELECT obj_description('gis.points'::regclass),"
        " col_description('gis.points'::regclass, attnum) FROM pg_attribute"
        " WHERE attrelid = 'gis.points'::regclass AND attname = 'mark'",
    ) == [("The owner's", "m")]
    assert seen(project, reader, "gis.points WHERE id < 100") == 3
    assert seen(project, reader, "gis.points WHERE mark = 2") == "denied"
    script(
        project.dsn,
        f"REVOKE ALL ON gis.points FROM {reader}; GRANT SELECT (id) ON gis.points TO {reader}",
    )
    publish(project, described, 4, mark=3)
    assert seen(project, reader, "gis.points WHERE geometry IS NULL") == "denied"


def test_a_comment_that_nobody_changed_follows_the_contract(project: Project) -> None:
    for count, description in enumerate(("One", "Two"), start=3):
        publish(project, contract(project.folder, description=description), count)
        said = run(project.dsn, "SELECT obj_description('gis.points'::regclass)")
        assert said == [(description,)]


def column_comments(project: Project) -> dict[str, str | None]:
    return dict(
        run(
            project.dsn,
            "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute"
            " WHERE attrelid = 'gis.points'::regclass AND attnum > 0 AND NOT attisdropped",
        )
    )


def test_comments_of_columns_follow_the_contract_except_those_of_the_owner(
    project: Project,
) -> None:
    def of(**columns: dict[str, str]) -> Any:
        return contract(project.folder, columns=columns)

    first = of(id={"description": "It's the key"}, mark={"unit": "m"}, gone={"unit": "1"})
    publish(project, first, 3)
    assert column_comments(project) == {"id": "It's the key", "mark": "[m]", "geometry": None}
    publish(project, of(id={"description": "Key"}, geometry={"unit": "m"}), 4)
    assert column_comments(project) == {"id": "Key", "mark": None, "geometry": "[m]"}
    script(
        project.dsn,
        "COMMENT ON COLUMN gis.points.id IS 'Ours'; COMMENT ON COLUMN gis.points.mark IS 'Too'",
    )
    publish(project, of(id={"description": "Another"}, mark={"unit": "m"}), 5)
    assert column_comments(project) == {"id": "Ours", "mark": "Too", "geometry": None}


def parts_of(project: Project) -> list[str]:
    found = run(project.dsn, "SELECT 'gis.' || part_name FROM spatial_pipeline.parts")
    return [name for (name,) in found]


@pytest.mark.parametrize("grant", ["SELECT", "SELECT (id)"])
@pytest.mark.parametrize("another", [False, True], ids=["unchanged", "new version"])
def test_no_part_is_readable_by_name_whatever_was_granted(
    project: Project, roles: tuple[str, str], grant: str, another: bool
) -> None:
    reader, _ = roles
    of = contract(project.folder)
    version = publish(project, of, 5)
    version = publish(project, of, 6, mark=1)
    parts = parts_of(project)
    assert len(parts) == 2
    granted = "; ".join(f"GRANT {grant} ON {part} TO {reader}" for part in parts)
    script(project.dsn, f"{granted}; ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY")
    assert {seen(project, reader, f"(SELECT id FROM {part}) p") for part in parts} == {5, 6}
    if another:
        publish(project, of, 7, mark=2)
    else:
        asyncio.run(project.pipeline().apublish(of, version))
    left = parts_of(project)
    assert len(left) == 2
    assert {seen(project, reader, f"(SELECT id FROM {part}) p") for part in left} == {"denied"}
    script(project.dsn, f"GRANT SELECT ON ALL TABLES IN SCHEMA gis TO {reader}")
    assert {seen(project, reader, part) for part in left} == {0}


def test_a_table_under_policies_that_was_dropped_is_closed_when_it_is_made_again(
    project: Project, roles: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    reader, _ = roles
    of = contract(project.folder)
    script(
        project.dsn, f"ALTER DEFAULT PRIVILEGES IN SCHEMA gis GRANT SELECT ON TABLES TO {reader}"
    )
    version = publish(project, of, 5)
    script(
        project.dsn,
        "ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY few ON gis.points USING (id < 2)",
    )
    asyncio.run(project.pipeline().apublish(of, version))
    assert seen(project, reader, "gis.points") == 2
    run(project.dsn, "DROP TABLE gis.points CASCADE")
    asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]
    assert seen(project, reader, "gis.points") == 0
    assert "its row-level policies with it" in caplog.text


def test_a_policy_that_hides_rows_from_the_publisher_is_no_defect(
    project: Project, roles: tuple[str, str]
) -> None:
    reader, publisher = roles
    own = as_role(project, publisher)
    of = contract(project.folder)
    version = publish(own, of, 5)
    script(
        own.dsn,
        "ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f" CREATE POLICY few ON gis.points USING (id < 2); GRANT SELECT ON gis.points TO {reader}",
    )
    assert run(own.dsn, "SELECT count(*) FROM gis.points") == [(2,)]
    asyncio.run(own.pipeline().apublish(of, version))
    publish(own, of, 9, mark=1)
    assert seen(project, reader, "gis.points") == 2
    assert seen(project, reader, part_of(project)) == "denied"
    run(project.dsn, f"DELETE FROM {part_of(project)} WHERE id = 8")
    with pytest.raises(StoreError, match="8 rows of 9"):
        asyncio.run(own.pipeline().apublish(of, project.proven(of, 9, mark=1)))


def test_a_table_of_another_owner_is_refused_with_the_way_out(
    project: Project, roles: tuple[str, str]
) -> None:
    reader, publisher = roles
    own = as_role(project, publisher)
    of = contract(project.folder)
    version = publish(own, of, 5)
    newer = project.proven(of, 6)
    run(project.dsn, f"ALTER TABLE gis.points OWNER TO {reader}")
    for again in (version, newer):
        with pytest.raises(StoreError, match="belongs to") as caught:
            asyncio.run(own.pipeline().apublish(of, again))
    statement = str(caught.value).partition(": GRANT ")[2].partition(", or")[0]
    run(project.dsn, f"GRANT {statement}")
    asyncio.run(own.pipeline().apublish(of, newer))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(6,)]


def test_rows_that_were_added_to_a_part_are_not_dropped_with_it(project: Project) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    part = part_of(project)
    run(project.dsn, f"INSERT INTO {part} {ROW}")
    with pytest.raises(
        StoreError, match=r"1 rows of points@.* would be lost: copy what you need"
    ) as caught:
        publish(project, of, 6)
    assert run(project.dsn, f"SELECT count(*) FROM {part}") == [(6,)]
    assert part.partition(".")[2] in str(caught.value)
    run(project.dsn, f"DROP TABLE {part}")
    publish(project, of, 6)
    run(project.dsn, "DELETE FROM gis.points WHERE id < 3")
    publish(project, of, 7)
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(7,)]


def test_rows_that_were_added_to_a_kept_part_are_not_dropped_by_a_rollback(
    project: Project,
) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    part = part_of(project)
    publish(project, of, 6, mark=1)
    run(project.dsn, f"INSERT INTO {part} {ROW}")
    with pytest.raises(StoreError, match=r"1 rows of points@.* would be lost"):
        asyncio.run(project.pipeline().roll_back(of))
    assert run(project.dsn, f"SELECT count(*) FROM {part}") == [(6,)]
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(6,)]


@pytest.mark.parametrize("how", ["rows added", "made again"])
def test_an_obsolete_part_that_holds_rows_of_others_stays(project: Project, how: str) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    part = part_of(project)
    publish(project, of, 6, mark=1)
    if how == "rows added":
        run(project.dsn, f"INSERT INTO {part} {ROW}")
    else:
        script(project.dsn, f"DROP TABLE {part}; CREATE TABLE {part} AS SELECT 'precious' AS note")
    before = run(project.dsn, f"SELECT count(*) FROM {part}")
    for count in (7, 8):
        publish(project, of, count, mark=count)
    assert run(project.dsn, f"SELECT count(*) FROM {part}") == before


def test_a_type_that_the_owner_widened_stays_wide(project: Project) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    run(project.dsn, "ALTER TABLE gis.points ALTER geometry TYPE geometry(Geometry, 4326)")
    asyncio.run(project.pipeline().apublish(of, version))
    publish(project, of, 6)
    declared = "SELECT type, srid FROM geometry_columns WHERE f_table_name = 'points'"
    assert run(project.dsn, declared) == [("GEOMETRY", 4326)]


def test_a_constraint_that_published_rows_do_not_have_is_named(project: Project) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    run(project.dsn, "ALTER TABLE gis.points ADD CONSTRAINT few CHECK (id < 100)")
    with pytest.raises(StoreError, match=r"constraint .* was added by hand.*few.*drop it from"):
        publish(project, of, 6)
    assert asyncio.run(stray_tables(project.dsn)) == []


@pytest.mark.parametrize("another", [False, True], ids=["unchanged", "new version"])
def test_a_locked_table_is_waited_for_and_named(project: Project, another: bool) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    if another:
        version = project.proven(of, 6)
    address = project.pipeline().database
    assert address is not None
    hasty = Database(type(address.address)(project.dsn, lock_timeout_s=0.05, lock_attempts=3))
    impatient = Pipeline.of([of], project.settings(), database=hasty)

    async def story() -> None:
        hand = await asyncpg.connect(project.dsn)
        try:
            async with hand.transaction():
                await hand.execute("LOCK TABLE gis.points IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(StoreError, match=r"locked for|holds it longer"):
                    async with asyncio.timeout(20):
                        await impatient.apublish(of, version)
        finally:
            await hand.close()
        await impatient.apublish(of, version)

    asyncio.run(story())


def dumped_and_restored(project: Project, postgres: Cluster) -> Project:
    """The project over a copy of its database, made by pg_dump; tables have other oids there."""
    dump = subprocess.run(
        [postgres.bindir / "pg_dump", project.dsn], capture_output=True, check=True, timeout=60
    )
    name = f"restored_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {name}")
    restored = Project(project.folder, postgres.dsn(name))
    subprocess.run(
        [postgres.bindir / "psql", "-Xq", "-v", "ON_ERROR_STOP=1", restored.dsn],
        input=dump.stdout, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    # The dump's oids are far from those of a new database.
    run(restored.dsn, "UPDATE spatial_pipeline.tables SET relation = 1")
    run(restored.dsn, "UPDATE spatial_pipeline.parts SET relation = 1")
    return restored


def test_after_a_real_restore_the_table_is_ours_and_parts_are_swept(
    project: Project, postgres: Cluster
) -> None:
    of = contract(project.folder)
    publish(project, of, 4)
    version = publish(project, of, 5, mark=1)
    restored = dumped_and_restored(project, postgres)
    asyncio.run(restored.pipeline().apublish(of, version))
    for count in (6, 7):
        publish(restored, of, count, mark=count)
    assert run(restored.dsn, "SELECT count(*) FROM gis.points") == [(7,)]
    tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'points\\_\\_%' AND relkind = 'r'"
    assert run(restored.dsn, tables) == [(2,)]

"""Publications to a database in which another role works against them at random instants.

The longer run: ``python -m spatial_pipeline_tests.publish.postgis.hostile --publications 300``.
After each publication the other role rests and the same version is published again: that run says
what is wrong, or readers see the proven version exactly. No row of others may ever be lost, and
none shown that a policy hides.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import secrets
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.errors import StoreError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.publish.postgis.pool import Database, ServerAddress
from spatial_pipeline_tests.postgres import Cluster, running_cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract

PRECIOUS = 1_000_000
"""Rows with such an id are of the other role, and of value."""
VERSIONS = 4
LAST_SHOWN = 2
"""The policy shows ids up to it."""
PAUSE_S = 0.3
NOT_NOW = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedObjectError,
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateColumnError,
    asyncpg.WrongObjectTypeError,
    asyncpg.InvalidTableDefinitionError,
    asyncpg.NotNullViolationError,
    asyncpg.DependentObjectsStillExistError,
    asyncpg.InternalServerError,
)
"""Answers to a statement that came at the wrong moment."""
OURS = "SELECT relation FROM spatial_pipeline.tables WHERE table_name = 'points'"
PARTS = (
    "SELECT c.oid::regclass::text AS name, p.relation IS DISTINCT FROM c.oid AS foreign,"
    " EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid) AS attached"
    " FROM pg_class c LEFT JOIN spatial_pipeline.parts p ON p.part_name = c.relname"
    " WHERE c.relnamespace = 'gis'::regnamespace AND c.relkind = 'r'"
    " AND c.relname LIKE 'points\\_\\_%'"
)


@dataclass
class Report:
    """Outcome of a run.

    Attributes:
        ends: how publications ended, by kind.
        acts: what the other role did, by kind.
        failures: promises that were broken.

    """

    ends: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Hand:
    """The other role: an administrator who knows nothing of publications."""

    def __init__(self, dsn: str, reader: str, publisher: str, chance: random.Random) -> None:
        self.dsn, self.reader, self.publisher, self.chance = dsn, reader, publisher, chance
        self.precious: set[int] = set()
        self.policy = False
        self.resting = asyncio.Lock()
        self.acts: Counter[str] = Counter()
        self.next = PRECIOUS

    async def work(self, over: asyncio.Event) -> None:
        """Acts until it is over."""
        connection = await asyncpg.connect(self.dsn)
        await connection.execute("SET lock_timeout = '300ms'; SET deadlock_timeout = '100ms'")
        acts = [getattr(self, n) for n in sorted(dir(self)) if n.startswith("do_")]
        try:
            while not over.is_set():
                await asyncio.sleep(self.chance.uniform(0, PAUSE_S))
                async with self.resting:
                    act = self.chance.choice(acts)
                    with contextlib.suppress(*NOT_NOW):
                        await act(connection)
                        self.acts[act.__name__.removeprefix("do_")] += 1
        finally:
            await connection.close()

    def id(self) -> int:
        self.next += 1
        return self.next

    async def part(self, connection: Any) -> str:
        found = [r["name"] for r in await connection.fetch(PARTS)]
        if not found:
            raise asyncpg.UndefinedTableError
        return str(self.chance.choice(found))

    async def do_insert_into_the_table(self, connection: Any) -> None:
        mine = self.id()
        await connection.execute("INSERT INTO gis.points (id) VALUES ($1)", mine)
        self.precious.add(mine)

    async def do_insert_into_a_part(self, connection: Any) -> None:
        mine = self.id()
        await connection.execute(
            f"INSERT INTO {await self.part(connection)} (id) VALUES ($1)", mine
        )
        self.precious.add(mine)

    async def do_delete(self, connection: Any) -> None:
        await connection.execute("DELETE FROM gis.points WHERE id = 1")

    async def do_update(self, connection: Any) -> None:
        await connection.execute("UPDATE gis.points SET mark = 99 WHERE id = 2")

    async def do_drop(self, connection: Any) -> None:
        async with connection.transaction():
            await self.dropped(connection)

    async def do_make_again(self, connection: Any) -> None:
        mine = self.id()
        async with connection.transaction():
            await self.dropped(connection)
            await connection.execute(f"CREATE TABLE gis.points AS SELECT {mine} AS id")
        self.precious.add(mine)

    async def dropped(self, connection: Any) -> None:
        await connection.execute("LOCK TABLE gis.points IN ACCESS EXCLUSIVE MODE")
        rows = await connection.fetch("SELECT id FROM gis.points WHERE id >= $1", PRECIOUS)
        await connection.execute("DROP TABLE gis.points CASCADE")
        self.precious -= {r["id"] for r in rows}
        self.policy = False

    async def do_drop_a_part(self, connection: Any) -> None:
        async with connection.transaction():
            name = await self.part(connection)
            await connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            rows = await connection.fetch(f"SELECT id FROM {name} WHERE id >= $1", PRECIOUS)
            await connection.execute(f"DROP TABLE {name}")
            self.precious -= {r["id"] for r in rows}

    async def do_make_a_part_again(self, connection: Any) -> None:
        mine = self.id()
        async with connection.transaction():
            name = await self.part(connection)
            await connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            rows = await connection.fetch(f"SELECT id FROM {name} WHERE id >= $1", PRECIOUS)
            await connection.execute(f"DROP TABLE {name}")
            await connection.execute(f"CREATE TABLE {name} AS SELECT {mine} AS id")
            self.precious -= {r["id"] for r in rows}
        self.precious.add(mine)

    async def do_take_a_part_away(self, connection: Any) -> None:
        name = await self.part(connection)
        await connection.execute(f"ALTER TABLE {name} NO INHERIT gis.points")

    async def do_rename(self, connection: Any) -> None:
        await connection.execute(f"ALTER TABLE gis.points RENAME TO kept_{secrets.token_hex(4)}")

    async def do_lock(self, connection: Any) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE gis.points IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(self.chance.uniform(0, 0.3))

    async def do_add_a_policy(self, connection: Any) -> None:
        async with connection.transaction():
            await connection.execute("ALTER TABLE gis.points ENABLE ROW LEVEL SECURITY")
            await connection.execute(
                f"CREATE POLICY few ON gis.points FOR SELECT TO {self.reader}"
                f" USING (id <= {LAST_SHOWN})"
            )
            self.policy = True

    async def do_grant_everything(self, connection: Any) -> None:
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA gis TO {self.reader}")

    async def do_revoke(self, connection: Any) -> None:
        await connection.execute(f"REVOKE ALL ON gis.points FROM {self.reader}")

    async def do_revoke_from_the_owner(self, connection: Any) -> None:
        await connection.execute(f"REVOKE ALL ON gis.points FROM {self.publisher}")

    async def do_give_away(self, connection: Any) -> None:
        await connection.execute("ALTER TABLE gis.points OWNER TO postgres")

    async def do_add_a_column(self, connection: Any) -> None:
        await connection.execute("ALTER TABLE gis.points ADD note text DEFAULT 'mine'")

    async def do_drop_a_column(self, connection: Any) -> None:
        await connection.execute("ALTER TABLE gis.points DROP mark")

    async def do_change_a_type(self, connection: Any) -> None:
        await connection.execute("ALTER TABLE gis.points ALTER mark TYPE numeric")

    async def do_add_a_trigger(self, connection: Any) -> None:
        await connection.execute(
            "CREATE TRIGGER quiet BEFORE UPDATE ON gis.points FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )

    async def do_add_a_rule(self, connection: Any) -> None:
        await connection.execute("CREATE RULE quiet AS ON DELETE TO gis.points DO INSTEAD NOTHING")

    async def do_add_a_child(self, connection: Any) -> None:
        mine = self.id()
        name = f"gis.kept_{secrets.token_hex(4)}"
        async with connection.transaction():
            await connection.execute(f"CREATE TABLE {name} () INHERITS (gis.points)")
            await connection.execute(f"INSERT INTO {name} (id) VALUES ($1)", mine)
        self.precious.add(mine)

    async def do_comment(self, connection: Any) -> None:
        await connection.execute("COMMENT ON TABLE gis.points IS 'mine'")


class Story:
    """Publications beside the hand."""

    def __init__(self, project: Project, hand: Hand, versions: list[Any], of: Any) -> None:
        self.project, self.hand, self.versions, self.of = project, hand, versions, of
        self.report = Report()

    async def told(self, publications: int) -> Report:
        """Publishes beside the hand, and looks after each publication."""
        address = ServerAddress(self.project.dsn, lock_timeout_s=0.1, lock_attempts=5)
        pipeline = Pipeline.of([self.of], self.project.settings(), database=Database(address))
        assert pipeline.database is not None
        over = asyncio.Event()
        admin = await asyncpg.connect(self.hand.dsn)
        async with pipeline.database.opened(), asyncio.TaskGroup() as group:
            group.create_task(self.hand.work(over))
            try:
                for _ in range(publications):
                    version = self.hand.chance.choice(self.versions)
                    ended = await self.published(pipeline, version)
                    self.report.ends["beside the hand: " + ("done" if not ended else "said")] += 1
                    async with self.hand.resting:
                        await self.looked(pipeline, version, admin)
            finally:
                over.set()
                await admin.close()
        self.report.acts = self.hand.acts
        return self.report

    async def published(self, pipeline: Pipeline, version: Any) -> str:
        try:
            await pipeline.apublish(self.of, version)
        except StoreError as exc:
            return str(exc)
        return ""

    async def looked(self, pipeline: Pipeline, version: Any, admin: Any) -> None:
        said = await self.published(pipeline, version)
        if said:
            self.report.ends["at rest: said"] += 1
            await self.precious_rows_are_there(admin, said)
            await self.repaired(admin)
            said = await self.published(pipeline, version)
            if said:
                self.report.failures.append(f"the way out does not work: {said}")
                return
        else:
            self.report.ends["at rest: done"] += 1
        await self.precious_rows_are_there(admin, "published")
        await self.readers_see(version, admin)

    async def precious_rows_are_there(self, admin: Any, after: str) -> None:
        tables = await admin.fetch(
            "SELECT a.attrelid::regclass::text AS name FROM pg_attribute a"
            " JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind = 'r' AND a.attname = 'id'"
            " AND c.relnamespace = 'gis'::regnamespace AND NOT a.attisdropped"
        )
        found: set[int] = set()
        for row in tables:
            ids = await admin.fetch(f"SELECT id FROM ONLY {row['name']} WHERE id >= $1", PRECIOUS)
            found |= {r["id"] for r in ids}
        lost = self.hand.precious - found
        if lost:
            self.report.failures.append(f"rows of others are lost: {sorted(lost)}, after: {after}")
            self.hand.precious -= lost

    async def readers_see(self, version: Any, admin: Any) -> None:
        mark = self.versions.index(version)
        expected = [(i, mark, f"POINT({i} {mark})") for i in range(5 + mark)]
        rows = await admin.fetch("SELECT id, mark, ST_AsText(geometry) FROM gis.points ORDER BY id")
        if [tuple(r) for r in rows] != expected:
            self.report.failures.append(f"readers see {rows} after {version} was published")
        names = [r["name"] for r in await admin.fetch(PARTS) if not r["foreign"]]
        for name in ["gis.points", *names]:
            most = len(expected) if name == "gis.points" else 0
            if name == "gis.points" and self.hand.policy:
                most = LAST_SHOWN + 1
            seen = await self.seen_by_reader(admin, name)
            if seen > most:
                self.report.failures.append(f"a reader sees {seen} rows of {name}, not {most}")

    async def seen_by_reader(self, admin: Any, name: str) -> int:
        try:
            async with admin.transaction():
                await admin.execute(f"SET LOCAL ROLE {self.hand.reader}")
                return int(await admin.fetchval(f"SELECT count(*) FROM {name}"))
        except asyncpg.InsufficientPrivilegeError:
            return 0

    async def repaired(self, admin: Any) -> None:
        """Does what the messages advise; rows of value move to tables of their own."""
        ours = await admin.fetchval(OURS)
        named = await admin.fetchval("SELECT to_regclass('gis.points')::oid")
        exists = await admin.fetchval("SELECT true FROM pg_class WHERE oid = $1", ours)
        if named is not None and named != ours:
            await admin.execute(f"ALTER TABLE gis.points RENAME TO kept_{secrets.token_hex(4)}")
        if exists and named != ours:
            name = await admin.fetchval("SELECT $1::oid::regclass::text", ours)
            await admin.execute(f"ALTER TABLE {name} RENAME TO points")
        children = await admin.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
            " WHERE inhparent = to_regclass('gis.points') AND inhrelid NOT IN"
            " (SELECT relation FROM spatial_pipeline.parts)"
        )
        for row in children:
            await admin.execute(f"ALTER TABLE {row['name']} NO INHERIT gis.points")
        for row in await admin.fetch(PARTS):
            if not row["foreign"]:
                await self.moved(admin, row["name"])
                await admin.execute(f"DROP TABLE {row['name']} CASCADE")
            else:
                await admin.execute(
                    f"ALTER TABLE {row['name']} RENAME TO kept_{secrets.token_hex(4)}"
                )
        if await admin.fetchval("SELECT to_regclass('gis.points') IS NULL"):
            return
        await self.moved(admin, "gis.points")
        await admin.execute(
            "DROP RULE IF EXISTS quiet ON gis.points; DELETE FROM ONLY gis.points;"
            " DROP TRIGGER IF EXISTS quiet ON gis.points;"
            " ALTER TABLE gis.points DROP COLUMN IF EXISTS note;"
            f" ALTER TABLE gis.points OWNER TO {self.hand.publisher};"
            f" GRANT ALL ON gis.points TO {self.hand.publisher}"
        )

    async def moved(self, admin: Any, name: str) -> None:
        await admin.execute(
            f"CREATE TABLE gis.kept_{secrets.token_hex(4)} AS"
            f" SELECT id FROM {name} WHERE id >= {PRECIOUS}"
        )


def run(cluster: Cluster, folder: Path, publications: int, seed: int) -> Report:
    """Tells one story in a database of its own.

    Args:
        cluster: server; roles are made in it.
        folder: for the sources and the store.
        publications: how many.
        seed: of the choices; the instants are the machine's.

    """
    database = cluster.new_database("hostile")
    mark = secrets.token_hex(4)
    reader, publisher = f"reader_{mark}", f"publisher_{mark}"
    cluster.psql(
        f"CREATE ROLE {reader}; CREATE ROLE {publisher} LOGIN PASSWORD 'p'; CREATE SCHEMA gis;"
        f" GRANT USAGE ON SCHEMA gis TO {reader}; GRANT ALL ON SCHEMA gis TO {publisher};"
        f" GRANT CREATE ON DATABASE {database} TO {publisher};"
        f" ALTER DEFAULT PRIVILEGES FOR ROLE {publisher} IN SCHEMA gis"
        f" GRANT SELECT ON TABLES TO {reader}",
        database,
    )
    project = Project(
        folder, f"postgresql://{publisher}:p@{cluster.host}:{cluster.port}/{database}"
    )
    of = contract(folder)
    versions = [project.proven(of, 5 + i, i) for i in range(VERSIONS)]
    hand = Hand(cluster.dsn(database), reader, publisher, random.Random(seed))
    try:
        return asyncio.run(Story(project, hand, versions, of).told(publications))
    finally:
        cluster.psql(f"DROP OWNED BY {reader}, {publisher} CASCADE", database)
        cluster.psql(f"DROP ROLE {reader}, {publisher}", database)


def main() -> int:
    """Tells one story and prints how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publications", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    catalogue.load()
    with running_cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        report = run(cluster, Path(folder), given.publications, given.seed)
    for counts in (report.ends, report.acts):
        print(", ".join(f"{what}: {n}" for what, n in sorted(counts.items())))
    print(f"{len(report.failures)} broken promises")
    for failure in report.failures[:20]:
        print("  ", failure)
    return int(bool(report.failures))


if __name__ == "__main__":
    sys.exit(main())

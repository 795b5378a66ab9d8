from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pyproj
import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.postgis import catalogue
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]


def asked(database: Database, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        connection = await asyncpg.connect(database.uri)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(main())


def test_columns_domains_and_the_key_in_its_order(database: Database) -> None:
    database.sql(
        "CREATE DOMAIN code AS varchar(5) NOT NULL",
        "CREATE TABLE described (a int, gone int, b code, c numeric(8, 3) NOT NULL,"
        " d geometry(PointZ, 4326), PRIMARY KEY (c, a))",
        "ALTER TABLE described DROP gone",
    )
    found = asked(database, lambda c: catalogue.table(c, "public.described"))
    assert [(c.name, c.type, c.nullable) for c in found.columns] == [
        ("a", "int4", False),
        ("b", "varchar", False),
        ("c", "numeric", False),
        ("d", "geometry", True),
    ]
    assert found.key == ("c", "a")
    assert found.sql == "public.described"
    assert found.postgis == "public"
    declared = asked(database, lambda c: catalogue.geometry_type(c, found, found.columns[3]))
    assert declared == ("Point Z", 4326)


def test_a_type_of_somebody_else_is_not_the_built_in_one(database: Database) -> None:
    database.sql(
        "CREATE SCHEMA theirs",
        "CREATE TYPE theirs.geometry AS ENUM ('round')",
        "CREATE TYPE theirs.int4 AS ENUM ('four')",
        "CREATE TABLE alien (g theirs.geometry, i theirs.int4)",
    )
    found = asked(database, lambda c: catalogue.table(c, "alien"))
    assert [c.type for c in found.columns] == ["other", "other"]
    assert not any(c.is_geometry for c in found.columns)


def test_a_query_is_one_relation_and_nothing_else(database: Database) -> None:
    found = asked(database, lambda c: catalogue.query(c, "SELECT 1 AS one, 'x'::text AS two;"))
    assert found.name is None
    assert found.key == ()
    assert [(c.name, c.type) for c in found.columns] == [("one", "int4"), ("two", "text")]
    with pytest.raises(SourceError, match="returns no columns"):
        asked(database, lambda c: catalogue.query(c, "CREATE TABLE never (x int)"))
    with pytest.raises(asyncpg.PostgresSyntaxError):
        asked(database, lambda c: catalogue.query(c, "SELECT 1) AS x; DROP TABLE y; --"))


@pytest.mark.parametrize("text", ["EPSG:25832", "EPSG:4326"])
def test_reference_systems_by_their_authority(database: Database, text: str) -> None:
    relation = asked(database, lambda c: catalogue.table(c, "public.spatial_ref_sys"))
    notes: list[str] = []
    code = int(text.partition(":")[2])
    wkt = asked(database, lambda c: catalogue.reference_system(c, relation, code, notes))
    assert pyproj.CRS.from_wkt(wkt) == pyproj.CRS.from_user_input(text)
    assert notes == []


def test_reference_systems_of_their_own_unknown_and_broken(database: Database) -> None:
    wkt = pyproj.CRS.from_proj4("+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84").to_wkt("WKT1_GDAL")
    database.sql(
        "INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext) VALUES"
        f" (910100, 'own', 1, '{wkt}'), (910101, 'own', 2, 'nonsense')"
    )
    relation = asked(database, lambda c: catalogue.table(c, "public.spatial_ref_sys"))
    notes: list[str] = []

    def of(srid: int) -> str | None:
        found: str | None = asked(
            database, lambda c: catalogue.reference_system(c, relation, srid, notes)
        )
        return found

    assert of(0) is None
    own = of(910100)
    assert own is not None
    assert pyproj.CRS.from_wkt(own).coordinate_operation.params[0].value == 12
    assert notes == []
    assert of(910101) is None
    assert of(910999) is None
    assert notes[0].startswith("SRID 910101 is not understood: ")
    assert notes[1] == "SRID 910999 is not in spatial_ref_sys"

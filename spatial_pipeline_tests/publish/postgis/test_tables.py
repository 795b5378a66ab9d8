from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pyproj

from spatial_pipeline.publish.postgis.extension import find_postgis, find_srid
from spatial_pipeline.publish.postgis.layout import TableLayout
from spatial_pipeline.publish.postgis.srids import OWN_SRIDS
from spatial_pipeline_tests.publish.postgis.projects import Project

OWN = pyproj.CRS.from_proj4("+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84 +units=m")
OTHER = pyproj.CRS.from_proj4("+proj=laea +lat_0=13 +lon_0=34 +datum=WGS84 +units=m")


def layout(crs: pyproj.CRS | None) -> TableLayout:
    return TableLayout((), (), "geometry", "Point", crs, ())


async def srids(dsn: str, *systems: pyproj.CRS | None) -> list[int]:
    """SRIDs of CRSs, and then x of a point that PostGIS transforms by the last one."""
    connection = await asyncpg.connect(dsn)
    try:
        postgis = await find_postgis(connection)
        async with connection.transaction():
            found = [await find_srid(connection, postgis, layout(s)) for s in systems]
        place: Any = await connection.fetchval(
            "SELECT round(ST_X(ST_Transform(ST_SetSRID(ST_MakePoint(35, 13), 4326), $1::int)))",
            found[-1],
        )
        return [*found, int(place)]
    finally:
        await connection.close()


def test_a_crs_that_postgis_does_not_know_is_added_once_and_works(project: Project) -> None:
    known = pyproj.CRS("EPSG:25832"), pyproj.CRS("OGC:CRS84"), None, OWN, OTHER, OWN
    *found, x = asyncio.run(srids(project.dsn, *known))
    assert found == [25832, 4326, 0, OWN_SRIDS, OWN_SRIDS + 1, OWN_SRIDS]
    expected, _ = pyproj.Transformer.from_crs("EPSG:4326", OWN, always_xy=True).transform(35, 13)
    assert x == round(expected)
    assert asyncio.run(srids(project.dsn, OWN))[0] == OWN_SRIDS

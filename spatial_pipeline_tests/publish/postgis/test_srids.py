"""SRIDs of CRSs that PostGIS does not ship: found again by what they mean, within its range."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pyproj
import pytest

from spatial_pipeline.errors import StoreError
from spatial_pipeline.publish.postgis.srids import MAX_SRID, OWN_SRIDS, srid_of
from spatial_pipeline_tests.publish.postgis.projects import Project

OWN = "+proj=laea +lat_0=12 +lon_0=34 +datum=WGS84 +units=m"
TABLE = '"public".spatial_ref_sys'
ADD = f"INSERT INTO {TABLE} (srid, auth_name, auth_srid, srtext, proj4text) VALUES "


def srids(
    project: Project, systems: Sequence[pyproj.CRS | None], *before: tuple[object, ...]
) -> list[int]:
    """SRIDs of CRSs after rows (srid, authority, WKT, PROJ string) were added by somebody else."""

    async def found() -> list[int]:
        connection = await asyncpg.connect(project.dsn)
        try:
            for srid, name, text, proj4 in before:
                await connection.execute(
                    ADD + "($1::int, $2, $1::int, $3, $4)", srid, name, text, proj4
                )
            async with connection.transaction():
                return [await srid_of(connection, TABLE, s) for s in systems]
        finally:
            await connection.close()

    return asyncio.run(found())


def test_a_definition_in_other_words_is_found_again(project: Project) -> None:
    crs = pyproj.CRS(OWN)
    other = pyproj.CRS(OWN.replace("+datum=WGS84", "+ellps=WGS84 +towgs84=0,0,0"))
    esri = pyproj.CRS.from_wkt(crs.to_wkt("WKT1_ESRI"))
    row = (990_123, None, esri.to_wkt("WKT1_ESRI"), "")
    assert srids(project, [crs, esri], row) == [990_123, 990_123]
    assert srids(project, [other]) == [990_123]


@pytest.mark.parametrize("name", [None, "spatial_pipeline", "MYORG"])
def test_one_that_has_a_proj_string_only_is_found_too(project: Project, name: str | None) -> None:
    assert srids(project, [pyproj.CRS(OWN)], (5, name, None, OWN)) == [5]


def test_an_own_number_for_what_an_authority_has_too_is_kept(project: Project) -> None:
    utm = pyproj.CRS("EPSG:25832")
    anonymous = utm.to_json_dict()
    del anonymous["id"]
    text = pyproj.CRS.from_json_dict(anonymous).to_wkt("WKT1_GDAL")
    as_read = pyproj.CRS.from_wkt(pyproj.CRS.from_wkt(text).to_wkt())
    assert srids(project, [as_read]) == [25832]
    assert srids(project, [as_read, utm], (990_005, None, text, "")) == [990_005, 25832]


def test_what_is_no_definition_is_passed_over(project: Project) -> None:
    rows = [(7, None, "no WKT at all", "+proj=nothing"), (8, None, None, None)]
    assert srids(project, [pyproj.CRS(OWN)], *rows) == [OWN_SRIDS]


def test_numbers_stay_within_the_range_of_postgis(project: Project) -> None:
    systems = [pyproj.CRS(OWN.replace("lat_0=12", f"lat_0={i}")) for i in range(3)]
    taken = [(OWN_SRIDS + 1, None, None, None), (MAX_SRID, None, None, None)]
    assert srids(project, systems, *taken) == [OWN_SRIDS, OWN_SRIDS + 2, OWN_SRIDS + 3]
    fill = (
        ADD.replace("VALUES ", "")
        + f"SELECT s, NULL, NULL, NULL, NULL FROM generate_series({OWN_SRIDS}, {MAX_SRID}) AS s"
        " ON CONFLICT DO NOTHING"
    )

    async def filled() -> None:
        connection = await asyncpg.connect(project.dsn)
        try:
            await connection.execute(fill)
        finally:
            await connection.close()

    asyncio.run(filled())
    with pytest.raises(StoreError, match=f"no free number from {OWN_SRIDS} to {MAX_SRID}"):
        srids(project, [pyproj.CRS(OWN)])


def test_what_wkt_of_the_first_kind_cannot_say_is_kept_in_the_second(project: Project) -> None:
    rotated = pyproj.CRS(
        "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18"
        " +to_meter=0.0174532925199433"
    )
    bound = pyproj.CRS("+proj=tmerc +lat_0=1 +lon_0=9 +ellps=bessel +towgs84=598,73,418,0,0,0,1")
    deep = pyproj.CRS("EPSG:4979")
    assert srids(project, [rotated, bound, deep]) == [OWN_SRIDS, OWN_SRIDS + 1, 4979]
    assert srids(project, [rotated, bound]) == [OWN_SRIDS, OWN_SRIDS + 1]


def test_a_text_too_long_for_the_table_leaves_the_proj_string(project: Project) -> None:
    crs = pyproj.CRS(OWN).to_json_dict()
    crs["name"] = "long " * 600
    named = pyproj.CRS.from_json_dict(crs)
    assert srids(project, [named, named]) == [OWN_SRIDS, OWN_SRIDS]

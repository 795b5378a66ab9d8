"""Type, dimensions, SRID and nullability of the geometry column that readers see."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import geopandas as gpd
import pyogrio
import pytest
import shapely

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.publication import Publish
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.publish.postgis.geometry_column import Present, Wanted
from spatial_pipeline_tests.publish.postgis.projects import Project

SQUARE = "POLYGON ((0 0, 1 0, 1 1, 0 0))"
SQUARES = "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))"
SQUARE_Z = "POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1))"
UTM = 25832


def run(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    async def fetched() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(r) for r in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(fetched())


def declared(project: Project) -> tuple[str, int, int]:
    """Type, dimensions and SRID that clients are told."""
    (row,) = run(
        project.dsn,
        "SELECT type, coord_dimension, srid FROM geometry_columns WHERE f_table_name = 'areas'",
    )
    return row  # type: ignore[return-value]


def contract(folder: Path, ending: str = "gpkg", **more: Any) -> VectorContract:
    """A dataset that goes to ``gis.areas``."""
    publish = {"table": "gis.areas", **more.pop("publish", {})}
    return VectorContract.model_validate(
        {
            "name": "areas",
            "source": {"uri": str(folder / f"areas.{ending}")},
            "publish": publish,
            "on_schema_change": "backfill",
            **more,
        }
    )


def write(path: Path, shapes: Sequence[str | None], kind: str | None, srid: int | None) -> None:
    path.unlink(missing_ok=True)
    ids = range(len(shapes))
    frame = gpd.GeoDataFrame({"id": ids}, geometry=shapely.from_wkt(list(shapes)), crs=srid)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        named = {"GEOMETRY_NAME": "geometry"}
        pyogrio.write_dataframe(frame, path, geometry_type=kind, layer_options=named)


def publish(
    project: Project,
    of: VectorContract,
    shapes: Sequence[str | None],
    kind: str | None = None,
    *,
    partition: str | None = None,
    srid: int | None = UTM,
) -> Version:
    write(Path(of.source.uri.replace("{partition}", partition or "")), shapes, kind, srid)
    pipeline = project.pipeline(of)
    version = pipeline.stage(of, partition)
    audit = asyncio.run(pipeline.audit(of, version))
    assert all(r.passed for r in audit.results), audit.results
    asyncio.run(pipeline.apublish(of, version))
    return version


def kind(text: str) -> GeometryType:
    found = GeometryType.parse(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("found", "said", "table", "others", "result"),
    [
        ("Polygon", "", "", False, "Polygon"),
        ("Polygon MultiPolygon", "", "", False, "MultiPolygon"),
        ("Polygon PointZ", "", "", False, None),
        ("", "", "", False, "Geometry"),
        ("", "MultiPolygonZ", "", False, "MultiPolygonZ"),
        ("Polygon", "MultiPolygon", "Polygon", False, "MultiPolygon"),
        ("Polygon", "MultiPolygon", "Polygon", True, "Polygon"),
        ("", "MultiPolygon", "Polygon", True, "Polygon"),
        ("Polygon", "Polygon", "Geometry", False, "Geometry"),
        ("PolygonZ", "Polygon", "", False, "PolygonZ"),
        ("MultiPolygonZ", "Polygon", "", False, "MultiPolygonZ"),
        ("Point", "Polygon", "", False, "Geometry"),
        ("LineString", "", "Point", False, "LineString"),
        ("LineString", "", "Point", True, "Geometry"),
        ("PointZ", "", "Geometry", False, "PointZ"),
        ("PointZ", "", "Geometry", True, None),
    ],
)
def test_the_type_for_a_table(
    found: str, said: str, table: str, others: bool, result: str | None
) -> None:
    decides = Wanted(frozenset(map(kind, found.split())), kind(said) if said else None)
    present = Present(kind(table), UTM, others) if table else None
    fitting = decides.fitting(present, UTM)
    assert (None if fitting is None else str(fitting)) == result


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [([], "MultiPolygon Z"), ([None, SQUARE_Z], "MultiPolygon Z")],
    ids=["empty", "filled"],
)
def test_the_type_is_that_of_the_source(
    project: Project, shapes: Sequence[str | None], kind: str
) -> None:
    publish(project, contract(project.folder), shapes, kind)
    assert declared(project) == ("MULTIPOLYGON", 3, UTM)


def test_it_stays_over_versions_that_hold_less_or_nothing(project: Project) -> None:
    of = contract(project.folder)
    for shapes in ([SQUARE, SQUARES], [], [None], [SQUARE, None]):
        publish(project, of, shapes, "MultiPolygon")
        assert declared(project) == ("MULTIPOLYGON", 2, UTM)


def test_without_a_declaration_it_widens_with_the_data_and_stays_wide(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    of = contract(project.folder, "parquet")
    seen = []
    for shapes in ([SQUARE], [SQUARE, SQUARES], [SQUARE, None], [None], [], ["POINT (1 2)"]):
        publish(project, of, shapes)
        seen.append(declared(project))
        if shapes == [SQUARE, None]:
            assert "1 of 2 geometries are promoted to Multi types in gis.areas" in caplog.text
            texts = run(project.dsn, "SELECT ST_AsText(geometry) FROM gis.areas ORDER BY id")
            assert texts == [("MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",), (None,)]
    assert seen == [("POLYGON", 2, UTM), *[("MULTIPOLYGON", 2, UTM)] * 4, ("POINT", 2, UTM)]


def test_geometries_of_several_dimensions_have_an_srid_too(project: Project) -> None:
    of = contract(project.folder, "parquet")
    publish(project, of, [SQUARE, SQUARE_Z])
    assert declared(project) == ("GEOMETRY", 2, UTM)
    publish(project, of, [SQUARE_Z, SQUARE], srid=4326)
    assert declared(project) == ("GEOMETRY", 2, 4326)
    assert run(project.dsn, "SELECT DISTINCT ST_SRID(geometry) FROM gis.areas") == [(4326,)]


def test_partitions_share_one_type(project: Project) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.gpkg")},
        partitions={"static": ["a", "b", "c", "d"]},
    )
    publish(project, of, [SQUARES], "MultiPolygon", partition="a")
    publish(project, of, [], "MultiPolygon", partition="b")
    publish(project, of, [None], "MultiPolygon", partition="c")
    publish(project, of, [SQUARE], "Polygon", partition="d")
    publish(project, of, [SQUARE], "MultiPolygon", partition="a")
    assert declared(project) == ("MULTIPOLYGON", 2, UTM)
    assert run(project.dsn, "SELECT count(*), count(geometry) FROM gis.areas") == [(3, 2)]


def test_partitions_that_declare_nothing_may_go_from_polygons_to_multipolygons(
    project: Project,
) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.parquet")},
        partitions={"static": ["a", "b", "c", "d"]},
    )
    publish(project, of, [SQUARE], partition="a")
    publish(project, of, [SQUARES, SQUARE], partition="b")
    publish(project, of, [], partition="c")
    publish(project, of, [SQUARES, None], partition="a")
    assert declared(project) == ("MULTIPOLYGON", 2, UTM)
    assert run(project.dsn, "SELECT count(*), count(geometry) FROM gis.areas") == [(4, 3)]
    with pytest.raises(StoreError, match=r"in the other partitions .* publish all partitions to"):
        publish(project, of, ["POINT (1 2)"], partition="d")
    with pytest.raises(StoreError, match=r"no type holds both dimensions; deliver all partitions"):
        publish(project, of, [SQUARE_Z], partition="d")
    wider = of.model_copy(update={"publish": Publish(table="gis.all_areas", geometry="Geometry")})
    publish(project, wider, ["POINT (1 2)"], partition="d")
    publish(project, wider, [SQUARE], partition="a")


@pytest.mark.parametrize("first", [[SQUARE], []], ids=["filled", "empty"])
def test_a_partition_that_declares_polygons_stands_beside_one_with_multipolygons(
    project: Project, first: list[str | None]
) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.gpkg")},
        partitions={"static": ["a", "b", "c"]},
    )
    publish(project, of, first, "Polygon", partition="a")
    publish(project, of, [SQUARES], "MultiPolygon", partition="b")
    publish(project, of, [SQUARE, SQUARE], "Polygon", partition="a")
    publish(project, of, [None], "Polygon", partition="c")
    assert declared(project) == ("MULTIPOLYGON", 2, UTM)
    assert run(project.dsn, "SELECT count(*), count(geometry) FROM gis.areas") == [(4, 3)]


def test_a_table_of_polygons_alone_keeps_its_type_for_a_partition_that_declares_polygons() -> None:
    decides = Wanted(frozenset({kind("Polygon")}), kind("Polygon"))
    for others in (False, True):
        present = Present(kind("Polygon"), UTM, others)
        assert decides.fitting(present, UTM, shared=True) == kind("Polygon")
    assert decides.fitting(None, UTM, shared=True) == kind("MultiPolygon")
    assert decides.fitting(None, UTM) == kind("Polygon")


def test_rolling_back_keeps_the_wider_type_and_views_on_it(project: Project) -> None:
    of = contract(project.folder, "parquet")
    first = publish(project, of, [SQUARE])
    publish(project, of, [SQUARES])
    run(project.dsn, "CREATE VIEW gis.seen AS SELECT geometry FROM gis.areas")
    publication = asyncio.run(project.pipeline(of).roll_back(of))
    assert publication.version == first.id
    assert declared(project) == ("MULTIPOLYGON", 2, UTM)
    assert run(project.dsn, "SELECT ST_AsText(geometry) FROM gis.seen") == [
        ("MULTIPOLYGON(((0 0,1 0,1 1,0 0)))",)
    ]


def test_the_contract_decides_and_may_change_its_mind(project: Project) -> None:
    of = contract(project.folder, publish={"geometry": "MultiPolygon"})
    version = publish(project, of, [SQUARE], "Polygon")
    assert declared(project) == ("MULTIPOLYGON", 2, UTM)
    other = contract(project.folder, publish={"geometry": "Geometry"})
    asyncio.run(project.pipeline(other).apublish(other, version))
    assert declared(project) == ("GEOMETRY", 2, UTM)
    assert run(project.dsn, "SELECT GeometryType(geometry) FROM gis.areas") == [("POLYGON",)]
    asyncio.run(project.pipeline(other).apublish(other, version))
    assert run(project.dsn, "SELECT count(*) FROM gis.areas") == [(1,)]


def test_what_the_type_of_the_contract_does_not_hold_is_named(project: Project) -> None:
    of = contract(project.folder, "parquet", publish={"geometry": "PolygonZ"})
    refused = r"PolygonZ, which does not hold MultiPolygon, Polygon: leave the type out, because"
    with pytest.raises(StoreError, match=refused):
        publish(project, of, [SQUARE, SQUARES, SQUARE_Z])
    of = contract(project.folder, "parquet", publish={"geometry": "Polygon"})
    with pytest.raises(StoreError, match=r"does not hold MultiPolygon: ask for MultiPolygon, or"):
        publish(project, of, [SQUARE, SQUARES])
    assert run(project.dsn, "SELECT to_regclass('gis.areas')") == [(None,)]


def test_an_srid_of_the_contract_is_checked_or_made(project: Project) -> None:
    of = contract(project.folder, publish={"geometry": {"srid": 4326}})
    with pytest.raises(StoreError, match=r"SRID 4326, which is another CRS .* \(EPSG:25832\)"):
        publish(project, of, [SQUARE])
    of = contract(project.folder, publish={"geometry": {"srid": 990001}})
    publish(project, of, [SQUARE])
    assert declared(project) == ("POLYGON", 2, 990001)
    of = contract(project.folder, "parquet", publish={"geometry": {"srid": 3857}})
    publish(project, of, [SQUARE], srid=None)
    assert declared(project) == ("POLYGON", 2, 3857)
    of = contract(project.folder, "parquet", publish={"geometry": {"srid": 555}})
    with pytest.raises(StoreError, match="SRID 555, which is not in"):
        publish(project, of, [SQUARES], srid=None)


def required(project: Project) -> list[str]:
    rows = run(
        project.dsn,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'gis.areas'::regclass"
        " AND attnotnull AND attnum > 0 ORDER BY 1",
    )
    return [name for (name,) in rows]


def test_columns_are_not_null_where_source_or_contract_say_so(project: Project) -> None:
    of = contract(project.folder, publish={"geometry": {"nullable": False}})
    publish(project, of, [SQUARE], "Polygon")
    assert required(project) == ["geometry"]
    with pytest.raises(StoreError, match=r'null value in column "geometry"'):
        publish(project, of, [SQUARE, None], "Polygon")
    of = contract(project.folder)
    publish(project, of, [SQUARE, None, SQUARE], "Polygon")
    assert required(project) == []


def test_what_is_required_in_all_partitions_only_is_not_null(project: Project) -> None:
    of = contract(
        project.folder,
        source={"uri": str(project.folder / "{partition}.parquet")},
        partitions={"static": ["a", "b"]},
        publish={"geometry": {"nullable": False}},
    )
    publish(project, of, [SQUARE], partition="a")
    publish(project, of, [SQUARE], partition="b")
    assert required(project) == ["geometry"]
    lax = of.model_copy(update={"publish": of.publish.model_copy(update={"geometry": None})})  # type: ignore[union-attr]
    publish(project, lax, [None], partition="b")
    assert required(project) == []
    publish(project, of, [SQUARE, SQUARE], partition="b")
    assert required(project) == ["geometry"]


OWN = (
    'PROJCS["Town grid",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",12],PARAMETER["central_meridian",34],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],'
    'UNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("rows", "srid"),
    [([], 990_001), ([None], UTM), ([SQUARE_Z], 990_001)],
    ids=["empty", "all null", "filled"],
)
def test_a_table_of_a_database_is_declared_like_its_source(
    project: Project, rows: list[str | None], srid: int
) -> None:
    values = ", ".join(
        f"({i}, {'NULL' if row is None else f'ST_Multi(ST_GeomFromText({row!r}, {srid}))'})"
        for i, row in enumerate(rows)
    )
    nullable = "" if None in rows else "NOT NULL"
    run(
        project.dsn,
        "INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)"
        f" VALUES (990001, 'town', 7, '{OWN}', '')",
    )
    run(
        project.dsn,
        f"CREATE TABLE gis.source (id int NOT NULL,"
        f" geometry geometry(MultiPolygonZ, {srid}) {nullable})",
    )
    if rows:
        run(project.dsn, f"INSERT INTO gis.source VALUES {values}")
    of = contract(project.folder, source={"uri": "postgresql:", "layer": "gis.source"})
    pipeline = project.pipeline(of)
    version = pipeline.stage(of, None)
    asyncio.run(pipeline.audit(of, version))
    asyncio.run(pipeline.apublish(of, version))
    assert declared(project) == ("MULTIPOLYGON", 3, srid)
    assert required(project) == (["geometry", "id"] if nullable else ["id"])

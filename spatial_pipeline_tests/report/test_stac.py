"""STAC items against the schemas of STAC that pystac ships; those of extensions need a network."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pyproj
import pytest
from pystac.validation.local_validator import get_local_schema_cache
from referencing import Registry, Resource

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import BandProfile, Column, Profile, RasterProfile
from spatial_pipeline.model.profile import VectorProfile as Vector
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Version
from spatial_pipeline.report.stac import VersionFile, stac_item
from spatial_pipeline_tests.report.cases import PASSED, PROFILE, result

AT = "2026-11-30T12:00:00+00:00"
NOON = "2026-11-30T12:00:00Z"
UTM = pyproj.CRS("EPSG:32633").to_wkt()
RASTER = RasterProfile(
    "dem.tif",
    crs=UTM,
    width=20,
    height=10,
    transform=(100.0, 0.0, 500000.0, 0.0, -100.0, 5500000.0),
    bands=(BandProfile("float32", nodata="NaN", description="height", unit="m"),),
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    schemas = get_local_schema_cache()
    known = [(uri, Resource.from_contents(schema)) for uri, schema in schemas.items()]
    item = next(uri for uri in schemas if uri.endswith("/item.json"))
    registry: Registry[Any] = Registry().with_resources(known)
    formats = jsonschema.FormatChecker()
    return jsonschema.Draft7Validator(schemas[item], registry=registry, format_checker=formats)


def item(profile: Profile, published: str | None = AT, **verdict: Any) -> dict[str, Any]:
    version = Version("dem", verdict.get("partition"), "v1")
    results = verdict.get("results", (PASSED, result(status=Status.FAILED)))
    judged = Verdict("dem", version.partition, "v1", "h", results, AT)
    file = VersionFile("https://example.org/data.tif", ".tif", 9, "ab" * 32)
    made = stac_item(version, profile, file, (AT, published), judged if results else None)
    return dict(json.loads(json.dumps(made, allow_nan=False)))


PROFILES: list[Profile] = [
    RASTER,
    PROFILE,
    Vector("a.csv", geometry_column=None, columns=(Column("a", "int64"),), count=2),
    Vector("local.gpkg", crs=pyproj.CRS("+proj=laea +lat_0=48").to_wkt(), bounds=(0, 0, 9, 9)),
    Vector("empty.gpkg", crs=UTM),
    Vector("off.gpkg", crs=UTM, bounds=(0, 0, 1e30, 1e30)),
    Vector("fiji.gpkg", crs=pyproj.CRS("EPSG:3460").to_wkt(), bounds=(1.9e6, 3.8e6, 2.3e6, 4e6)),
]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.uri)
@pytest.mark.parametrize("results", [(), (PASSED,)], ids=["unchecked", "checked"])
def test_items_are_valid(
    validator: jsonschema.Draft7Validator, profile: Profile, results: tuple[Any, ...]
) -> None:
    made = item(profile, results=results)
    assert [e.message for e in validator.iter_errors(made)] == []
    assert made["properties"]["spatial_pipeline:passed"] is bool(results)


def test_the_schema_refuses(validator: jsonschema.Draft7Validator) -> None:
    made = item(RASTER)
    del made["properties"]["datetime"]
    assert list(validator.iter_errors(made))


def test_a_raster() -> None:
    made = item(RASTER, partition="north")
    assert made["id"] == "dem-north-v1"
    properties = made["properties"]
    assert properties["datetime"] == properties["spatial_pipeline:published_at"] == NOON
    assert properties["proj:code"] == "EPSG:32633"
    assert properties["proj:bbox"] == [500000, 5499000, 502000, 5500000]
    assert properties["proj:shape"] == [10, 20]
    assert properties["proj:transform"] == [100, 0, 500000, 0, -100, 5500000]
    west, south, east, north = made["bbox"]
    back = pyproj.Transformer.from_crs("OGC:CRS84", UTM, always_xy=True)
    assert back.transform(west, north) == pytest.approx((500000, 5500000), abs=30)
    assert (west < east, south < north) == (True, True)
    asset = made["assets"]["data"]
    assert asset["file:checksum"] == f"1220{'ab' * 32}"
    assert asset["bands"] == [
        {"name": "height", "data_type": "float32", "nodata": "nan", "unit": "m"}
    ]
    assert properties["spatial_pipeline:passed"] is False
    assert [r["violations"] for r in properties["spatial_pipeline:results"]] == [0, 6]


def test_a_version_that_nobody_reads_has_the_time_of_its_staging() -> None:
    properties = item(RASTER, published=None)["properties"]
    assert properties["datetime"] == NOON
    assert "spatial_pipeline:published_at" not in properties


def test_across_the_antimeridian_there_are_two_parts() -> None:
    made = item(PROFILES[-1])
    west, _, east, _ = made["bbox"]
    assert west > east
    assert made["geometry"]["type"] == "MultiPolygon"
    longitudes = [x for ring in made["geometry"]["coordinates"] for x, _ in ring[0]]
    assert max(map(abs, longitudes)) == 180
    assert all(map(math.isfinite, longitudes))

"""What changed from one schema to another: symmetric, complete, and never a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.profile import BandProfile, Column, RasterProfile, VectorProfile
from spatial_pipeline.model.schema_diff import (
    ChangeKind,
    Schema,
    SchemaChange,
    SchemaDifference,
    schema_change,
    schema_of,
)

NAMES = [
    "area",
    "Area",
    "area_m2",
    "aera",
    "name",
    "NAME",
    "names",
    "population",
    "pop",
    "___",
    "bbdb",
    "dbbb",
]
TYPES = ["string", "int64", "double"]
MIRRORED = {ChangeKind.ADDED: ChangeKind.REMOVED, ChangeKind.REMOVED: ChangeKind.ADDED}


def vector(columns: dict[str, str], **parts: Any) -> Schema:
    """A schema of columns; a trailing ! means never null."""
    made = [Column(n.removesuffix("!"), t, not n.endswith("!")) for n, t in columns.items()]
    return Schema("vector", **{"columns": tuple(made), "crs": "EPSG:4326", **parts})


def raster(**parts: Any) -> Schema:
    profile: dict[str, Any] = {
        "uri": "dem.tif",
        "crs": pyproj.CRS("EPSG:32633").to_wkt(),
        "width": 10,
        "height": 8,
        "transform": (10.0, 0.0, 500_000.0, 0.0, -10.0, 4_000_000.0),
        "bands": (BandProfile("uint8", 0.0), BandProfile("uint8", 0.0)),
    }
    return schema_of(RasterProfile(**{**profile, **parts}))


def told(before: Schema, after: Schema) -> list[str]:
    return [str(d) for d in schema_change(before, after).differences]


def mirrored(change: SchemaChange) -> set[SchemaDifference]:
    return {
        replace(
            d,
            kind=MIRRORED.get(d.kind, d.kind),
            before=d.after,
            after=d.before,
            column=d.before if d.kind is ChangeKind.RENAMED else d.column,
        )
        for d in change.differences
    }


columns = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.sampled_from(TYPES), st.booleans()), max_size=6
)
schemas = st.builds(
    lambda c, g, crs: Schema("vector", tuple(Column(n, *t) for n, t in c.items()), g, crs),
    columns,
    st.sampled_from([None, "Point", "Polygon"]),
    st.sampled_from([None, "EPSG:4326", "EPSG:25832"]),
) | st.builds(
    lambda types, nodata, pixel, origin: Schema(
        "raster",
        data_types=tuple(types),
        nodata=tuple(nodata for _ in types),
        pixel=pixel,
        origin=origin,
    ),
    st.lists(st.sampled_from(["uint8", "float32"]), max_size=3),
    st.sampled_from(["none", "0.0"]),
    st.sampled_from([None, (1.0, 0.0, 0.0, -1.0), (2.0, 0.0, 0.0, -2.0)]),
    st.sampled_from([None, (0.0, 0.0), (0.5, 0.0)]),
)
contents = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b"]), max_size=6)


@settings(max_examples=300, deadline=None)
@given(schemas, schemas, contents, contents)
def test_symmetric_and_complete(before: Schema, after: Schema, was: Any, now: Any) -> None:
    change = schema_change(before, after, was, now)
    assert mirrored(change) == set(schema_change(after, before, now, was).differences)
    assert bool(change) == (before.fingerprint != after.fingerprint) == (before != after)
    assert not schema_change(before, before, was, now)


@settings(max_examples=300, deadline=None)
@given(columns, columns, contents, contents)
def test_every_column_is_accounted_for_once(one: Any, two: Any, was: Any, now: Any) -> None:
    before = Schema("vector", tuple(Column(n, *t) for n, t in one.items()))
    after = Schema("vector", tuple(Column(n, *t) for n, t in two.items()))
    change = schema_change(before, after, was, now)
    gone: list[str] = []
    come: list[str] = []
    for d in change.differences:
        if d.kind in (ChangeKind.REMOVED, ChangeKind.RENAMED):
            gone.append(str(d.before if d.kind is ChangeKind.RENAMED else d.column))
        if d.kind in (ChangeKind.ADDED, ChangeKind.RENAMED):
            come.append(str(d.column))
    assert sorted(gone) == sorted(one.keys() - two.keys())
    assert sorted(come) == sorted(two.keys() - one.keys())


@settings(max_examples=300, deadline=None)
@given(columns, columns, contents, contents)
def test_a_rename_is_never_claimed_when_another_is_possible(
    one: Any, two: Any, was: Any, now: Any
) -> None:
    """The oracle: alone with its partner, each end of a claimed rename pairs with nothing else."""
    before = Schema("vector", tuple(Column(n, *t) for n, t in one.items()))
    after = Schema("vector", tuple(Column(n, *t) for n, t in two.items()))

    def possible(a: str, b: str) -> bool:
        alone = schema_change(
            Schema("vector", (Column(a, *one[a]),)),
            Schema("vector", (Column(b, *two[b]),)),
            was,
            now,
        )
        return [d.kind for d in alone.differences] == [ChangeKind.RENAMED]

    gone, come = one.keys() - two.keys(), two.keys() - one.keys()
    claimed = {
        (d.before, d.after)
        for d in schema_change(before, after, was, now).differences
        if d.kind is ChangeKind.RENAMED
    }
    only = {
        (a, b)
        for a in gone
        for b in come
        if [x for x in come if possible(a, x)] == [b] and [x for x in gone if possible(x, b)] == [a]
    }
    assert claimed == only


def test_columns_in_words() -> None:
    before = vector({"id!": "int64", "area": "int32", "height": "double", "old": "string"})
    after = vector({"id": "int64", "area": "double", "heights": "double", "label!": "int64"})
    assert told(before, after) == [
        "column height looks renamed to heights",
        "column old (string) removed",
        "column label (int64, never null) added",
        "column area was int32, is double",
        "column id was never null, is nullable",
    ]


def test_two_candidates_are_no_rename() -> None:
    one = vector({"height": "double"})
    two = vector({"heights": "double", "height_": "double"})
    assert told(one, two) == [
        "column height (double) removed",
        "column height_ (double) added",
        "column heights (double) added",
    ]
    assert told(two, one) == [
        "column height_ (double) removed",
        "column heights (double) removed",
        "column height (double) added",
    ]


def test_likeness_does_not_depend_on_the_direction() -> None:
    """The ratio of ``difflib`` does: it is 0.75 one way and 0.5 the other."""
    one, two = vector({"bbdb": "double"}), vector({"dbbb": "double"})
    assert len(told(one, two)) == len(told(two, one)) == 1


def test_another_type_is_no_rename() -> None:
    assert len(told(vector({"height": "double"}), vector({"heights": "int64"}))) == 2


def test_the_same_content_is_a_rename() -> None:
    before, after = vector({"h": "double"}), vector({"zenith": "double"})
    assert len(told(before, after)) == 2
    change = schema_change(before, after, {"h": "x"}, {"zenith": "x"})
    assert str(change) == "column h looks renamed to zenith"


def test_only_added_nullable_columns_are_additive() -> None:
    base = vector({"id": "int64"})
    assert schema_change(base, vector({"id": "int64", "x": "string"})).additive
    assert not schema_change(base, vector({"id": "int64", "x!": "string"})).additive
    assert not schema_change(base, vector({"x": "string"})).additive
    assert not schema_change(base, vector({"id": "int64", "x": "string"}, crs=None)).additive
    assert schema_change(base, base).additive


def test_the_order_of_columns_is_no_schema() -> None:
    one, two = vector({"a": "int64", "b": "string"}), vector({"b": "string", "a": "int64"})
    assert not schema_change(one, two)
    assert one.fingerprint == two.fingerprint


def test_geometry_type_and_crs_in_words() -> None:
    before = schema_of(VectorProfile("a", crs="EPSG:4326", geometry_type="Polygon"))
    after = schema_of(VectorProfile("a", crs="EPSG:25832", geometry_type="Point"))
    assert told(before, after) == [
        "geometry type was Polygon, is Point",
        "CRS was EPSG:4326, is EPSG:25832",
    ]
    nothing = schema_of(VectorProfile("a", crs=None, geometry_type=None, geometry_column=None))
    assert told(before, nothing) == [
        "geometry type was Polygon, is none",
        "CRS was EPSG:4326, is none",
    ]


@pytest.mark.parametrize("version", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_a_crs_is_what_it_means_and_not_how_it_is_written(version: str) -> None:
    text = pyproj.CRS("EPSG:25832").to_wkt(version)
    assert schema_of(VectorProfile("a", crs=text)).crs == "EPSG:25832"


def test_the_order_of_axes_is_no_schema() -> None:
    one = schema_of(VectorProfile("a", crs="OGC:CRS84"))
    assert not schema_change(one, schema_of(VectorProfile("a", crs="EPSG:4326")))


def test_a_crs_that_is_not_understood_is_compared_as_text() -> None:
    one = schema_of(VectorProfile("a", crs="LOCAL"))
    assert told(one, schema_of(VectorProfile("a", crs="OTHER"))) == ["CRS was LOCAL, is OTHER"]


def test_a_crs_without_a_code_is_told_by_its_name() -> None:
    own = pyproj.CRS("+proj=tmerc +lat_0=1.5 +lon_0=7 +k=0.9 +datum=WGS84 +units=m").to_wkt()
    (words,) = told(schema_of(VectorProfile("a", crs=own)), schema_of(VectorProfile("a")))
    assert words == "CRS was unknown, is none"


def test_rasters_in_words() -> None:
    other = raster(
        crs="EPSG:3857",
        bands=(BandProfile("float32", "nan"),),
        transform=(20.0, 0.0, 500_005.0, 0.0, -20.0, 4_000_000.0),
    )
    assert told(raster(), other) == [
        "CRS was EPSG:32633, is EPSG:3857",
        "band count was 2, is 1",
        "data type was uint8, is float32",
        "nodata value was 0.0, is nan",
        "pixel size was 10 × 10, is 20 × 20",
        "grid alignment was 0 and 0 pixels off the origin, is 0.25 and 0 pixels off the origin",
    ]


def test_one_more_band_of_the_same_type_is_one_change() -> None:
    more = raster(bands=(BandProfile("uint8", 0.0),) * 3)
    assert told(raster(), more) == ["band count was 2, is 3"]


def test_the_extent_of_a_raster_is_no_schema() -> None:
    moved = raster(width=999, height=1, transform=(10.0, 0.0, 510_000.0, 0.0, -10.0, 3_900_000.0))
    assert not schema_change(raster(), moved)
    off = raster(transform=(10.0, 0.0, 510_003.0, 0.0, -10.0, 3_900_000.0))
    assert [d.kind for d in schema_change(raster(), off).differences] == [ChangeKind.ALIGNMENT]


@pytest.mark.parametrize("noise", [-1e-6, 1e-6])
def test_rounding_in_a_header_is_no_change(noise: float) -> None:
    near = raster(transform=(10.0, 0.0, 500_000.0 + noise, 0.0, -10.0, 4_000_000.0 - noise))
    assert not schema_change(raster(), near)


def test_a_raster_whose_rows_go_north_differs() -> None:
    flipped = raster(transform=(10.0, 0.0, 500_000.0, 0.0, 10.0, 4_000_000.0))
    assert told(raster(), flipped) == ["pixel size was 10 × 10, is 10 × 10 (steps 10, 10)"]


@pytest.mark.parametrize("transform", [(0.0,) * 6, (float("nan"),) * 6])
def test_a_transform_without_meaning_is_a_schema_too(transform: Any) -> None:
    one = raster(transform=transform)
    assert not schema_change(one, raster(transform=transform))
    assert schema_change(raster(), one)


def test_vector_and_raster() -> None:
    assert told(vector({}), raster()) == ["kind of data was vector, is raster"]

"""WKT that GEOS cannot be trusted with."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.wkt import ODD, WktError, json_to_wkb, to_wkb

TEXTS = [
    "POINT (1 2)", "point z(1 2 3)", "POINT M (1 2 3)", "POINTZM (1 2 3 4)", "POINT (1 2 3)",
    "POINT EMPTY", "POINT Z EMPTY", "LINESTRING (0 0, 1 1)", "LINESTRING EMPTY",
    "POLYGON ((0 0, 1 0, 1 1, 0 0), (0.1 0.1, 0.2 0.1, 0.2 0.2, 0.1 0.1))", "POLYGON EMPTY",
    "POLYGON ((0 0, 1 0, 1 1, 0 0), EMPTY)", "MULTIPOINT (1 2, 3 4)", "MULTIPOINT ((1 2), (3 4))",
    "MULTIPOINT (EMPTY, (3 4))", "MULTILINESTRING ((0 0, 1 1), EMPTY)",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING EMPTY)",
    "GEOMETRYCOLLECTION EMPTY", "GEOMETRYCOLLECTION Z (POINT Z (1 2 3))", "POINT(-1.5e-3 .5)",
    "POINT (1 nan)", "LINESTRING (inf 0, 1 1)",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_it_reads_like_geos(text: str) -> None:
    assert to_wkb(text) == shapely.to_wkb(shapely.from_wkt(text), flavor="iso")


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("CIRCULARSTRING (0 0, 1 1, 2 0)", "010800000003000000"),
        ("CIRCULARSTRING EMPTY", "010800000000000000"),
        ("COMPOUNDCURVE (CIRCULARSTRING (0 0, 1 1, 2 0), (2 0, 3 0))",
         "01090000000200000001080000000300"),
        ("CURVEPOLYGON (CIRCULARSTRING (0 0, 1 1, 2 0, 1 -1, 0 0))", "010a00000001000000010800"),
        ("MULTICURVE ((0 0, 1 1), CIRCULARSTRING (0 0, 1 1, 2 0))", "010b00000002000000010200"),
        ("MULTISURFACE (((0 0, 1 0, 1 1, 0 0)), CURVEPOLYGON ((0 0, 1 0, 1 1, 0 0)))",
         "010c00000002000000010300"),
        ("CIRCULARSTRING Z (0 0 1, 1 1 1, 2 0 1)", "01f003000003000000"),
        ("TIN (((0 0, 1 0, 1 1, 0 0)))", "011000000001000000011100"),
        ("POLYHEDRALSURFACE (((0 0, 1 0, 1 1, 0 0)))", "010f00000001000000010300"),
        ("TRIANGLE ((0 0, 1 0, 1 1, 0 0))", "01110000000100000004000000"),
    ],
)  # fmt: skip
def test_curves_and_surfaces(text: str, head: str) -> None:
    assert to_wkb(text).hex().startswith(head)
    assert re.search(ODD, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("POINT (1 2) x", "has text behind the geometry"),
        ("POINT (1 2)\0", "has text behind the geometry"),
        ("POINT (1 2, 3 4)", "has a point of several positions"),
        ("POINT Z (1 2)", "has positions of 2 numbers where 3 are stated"),
        ("LINESTRING (0 0, 1 1 1)", "mixes positions with and without Z or M"),
        ("GEOMETRYCOLLECTION (POINT Z (1 2 3), POINT (1 2))",
         "mixes positions with and without Z or M"),
        ("POINT (1e400 0)", "has a number that is too large"),
        ("POINT (nan nan)", "has a point of NaN, which in WKB is an empty one"),
        ("GEOMETRYCOLLECTION(" * 100_000, "nests geometries more than 32 deep"),
        ("CIRCULARSTRING ((0 0, 1 1))", "is not WKT"),
        ("CURVEPOLYGON (POINT (1 2))", "has a POINT where none may be"),
        ("POINT (0x10 2)", "is not WKT"), ("POINT (1,2)", "is not WKT"), ("POINT ()", "is not WKT"),
        ("POINT", "is not WKT"), ("", "is not WKT"), ("POINT 1 2", "is not WKT"),
        ("POINT (\u0661 2)", "is not WKT"), ("POINT (1_0 2)", "is not WKT"),
        ("POINT\u00a0(1 2)", "is not WKT"), ("CIRCLE (0 0)", "is not WKT"),
        ("POLYGON ((0 0, 1 0, 1 1, 0 0),)", "is not WKT"),
    ],
)  # fmt: skip
def test_what_is_no_wkt(text: str, reason: str) -> None:
    with pytest.raises(WktError) as raised:
        to_wkb(text)
    assert str(raised.value) == reason


@given(st.sampled_from(TEXTS), st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_text_is_never_read_otherwise_than_by_geos(text: str, data: Any) -> None:
    at = data.draw(st.integers(0, len(text)))
    insert = data.draw(st.text(st.sampled_from("0 ,()Zem1.-"), max_size=2))
    damaged = text[:at] + insert + text[at + data.draw(st.integers(0, 2)) :]
    try:
        ours = to_wkb(damaged)
    except WktError:
        return
    theirs = shapely.from_wkt(damaged, on_invalid="ignore")
    if theirs is not None:
        if not theirs.has_m and shapely.from_wkb(ours).has_m:
            # GEOS drops the M of members of a multipoint that have no brackets of their own.
            assert re.search(ODD, damaged)
            ours = shapely.to_wkb(shapely.from_wkb(ours), output_dimension=3, flavor="iso")
        assert ours == shapely.to_wkb(theirs, flavor="iso")
    else:
        # Lines of one point and open rings are left to whoever decodes the WKB.
        assert shapely.from_wkb(ours, on_invalid="ignore") is None


@pytest.mark.parametrize(
    "text",
    ["POINT (1 2)", "POINT Z (1 2 3)", "LINESTRING (0 0, 1 1)", "POLYGON ((0 0, 1 0, 1 1, 0 0))",
     "MULTIPOINT ((1 2), (3 4))", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", "POINT EMPTY",
     "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1))"],
)  # fmt: skip
def test_geojson(text: str) -> None:
    geometry = shapely.from_wkt(text)
    assert json_to_wkb(shapely.to_geojson(geometry)) == shapely.to_wkb(geometry, flavor="iso")


@pytest.mark.parametrize(
    "value",
    [{}, [], None, {"type": "Feature"}, {"type": "Point"}, {"type": "Point", "coordinates": [1]},
     {"type": "Point", "coordinates": [1, True]}, {"type": "Point", "coordinates": [1, "2"]},
     {"type": "Point", "coordinates": [1, 2, 3, 4]}, {"type": "Point", "coordinates": [10**400, 1]},
     {"type": "LineString", "coordinates": [[0, 0], [1, 1, 1]]},
     {"type": "Polygon", "coordinates": [[0, 0]]},
     {"type": "Point", "coordinates": [float("nan"), 1]}],
)  # fmt: skip
def test_what_is_no_geojson(value: Any) -> None:
    with pytest.raises(WktError):
        json_to_wkb(json.dumps(value))

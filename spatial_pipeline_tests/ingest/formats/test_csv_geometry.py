"""CSV: geometries of texts and of coordinates."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
import shapely

from spatial_pipeline.ingest.formats.csv_geometry import Coordinates, points, read_texts


def read(*texts: str | None, plain: bool = False) -> tuple[list[str | None], dict[int, str]]:
    found = read_texts(pa.array(texts, pa.string()), plain)
    return [g and g.wkt for g in shapely.from_wkb(found.wkb.to_pylist())], found.reasons


def test_every_way_to_write_a_geometry() -> None:
    point = shapely.set_srid(shapely.Point(1, 2), 4326)
    json_text = json.dumps({"type": "Point", "coordinates": [1, 2]})
    found = read_texts(
        pa.array(
            ["POINT (1 2)", " srid = 25832 ; POINT (1 2)", None, json_text,
             shapely.to_wkb(point, hex=True, include_srid=True),
             shapely.to_wkb(point, hex=True, byte_order=0).lower()]
        ),
        plain=False,
    )  # fmt: skip
    wkt = [g and g.wkt for g in shapely.from_wkb(found.wkb.to_pylist())]
    assert wkt == ["POINT (1 2)", "POINT (1 2)", None, *["POINT (1 2)"] * 3]
    assert found.srids.tolist() == [0, 25832, 0, 0, 4326, 0]


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("POINT (1 2) POINT (3 4)", "has text behind the geometry"),
        ("POLYGON ((0 0, 1 1, 1 0))", "has a ring that is not closed"),
        ("LINESTRING (1 1)", "has a line of one point"),
        ("POINT (1e400 2)", "has a number that is too large"),
        ("POINT (0x10 2)", "is not WKT"),
        ("POINT (nan nan)", "has a point of NaN, which in WKB is an empty one"),
        ("POINT Z (1 2)", "is not WKT"),
        ("LINESTRING (0 0, 1 1 1)", "is not WKT"),
        ("GEOMETRYCOLLECTION (" * 40, "nests geometries more than 32 deep"),
        ("POINT (1 2", "is not WKT"),
    ],
)
def test_texts_that_stand_for_no_geometry(text: str, reason: str, plain: bool) -> None:
    wkt, reasons = read("POINT (1 2)", text, None, plain=plain)
    assert wkt == ["POINT (1 2)", None, None]
    assert reasons == {1: reason}


@pytest.mark.parametrize("text", ["01", "0101000000" + "00" * 15, "0101000000zz", "0301000000"])
def test_hexadecimal_wkb_that_is_none(text: str) -> None:
    assert read(text) == ([None], {0: "is not hexadecimal WKB"})


def test_bytes_behind_hexadecimal_wkb() -> None:
    text = shapely.to_wkb(shapely.Point(1, 2), hex=True) + "00"
    assert read(text) == ([None], {0: "has bytes behind the geometry"})


def test_curves_stay_curves() -> None:
    found = read_texts(pa.array(["CIRCULARSTRING (0 0, 1 1, 2 0)", "POINT (1 2)"]), plain=False)
    assert found.reasons == {}
    assert found.wkb[0].as_py()[:9].hex() == "010800000003000000"


def test_points_of_columns() -> None:
    x, y = pa.array([1.5, None, 3.0]), pa.array([2.5, 1.0, None])
    found = shapely.from_wkb(points([x, y]).to_pylist()).tolist()
    assert [g and g.wkt for g in found] == ["POINT (1.5 2.5)", None, None]
    found = shapely.from_wkb(points([x, y, y]).to_pylist()).tolist()
    assert found[0].wkt == "POINT Z (1.5 2.5 2.5)"


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "+2.5", " .5 ", None, "1e2"], pa.float64(), [1.0, 2.5, 0.5, None, 100.0]),
        (["1,5", "2"], pa.float64(), [1.5, 2.0]),
        (["1,5", "2.5"], pa.string(), [None, 2.5]),
        (["1", "x"], pa.string(), [1.0, None]),
        (["1", "1e999"], pa.string(), [1.0, None]),
        (["1,2,3"], pa.string(), [None]),
    ],
)
def test_coordinates(
    texts: list[str | None], kind: pa.DataType, values: list[float | None]
) -> None:
    column = Coordinates()
    for text in texts:
        column.see(pa.array([text], pa.string()))
    found, bad = column.values(pa.array(texts, pa.string()))
    assert (column.kind, found.to_pylist()) == (kind, values)
    wrong = [t is not None and v is None for t, v in zip(texts, values, strict=True)]
    assert bad.tolist() == wrong

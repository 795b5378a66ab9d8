"""Values that GDAL changes without a word when it reads a text format: refused with the text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spatial_pipeline_tests.ingest.sources import staged_vector

Maker = Callable[[Path, str, str], Path]
"""Writes a file of two features; values of a column of numbers and of one of times."""


def _text(name: str, head: str, feature: str, tail: str) -> Maker:
    def make(folder: Path, number: str, moment: str) -> Path:
        path = folder / name
        sound = feature.format(number="0.5", moment="2020-01-31T10:00:00Z", id=1)
        path.write_text(head + sound + feature.format(number=number, moment=moment, id=2) + tail)
        return path

    return make


GML = _text(
    "a.gml",
    '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
    'xmlns:gml="http://www.opengis.net/gml">',
    '<gml:featureMember><ogr:a fid="{id}"><ogr:g><gml:Point><gml:coordinates>1,2</gml:coordinates>'
    "</gml:Point></ogr:g><ogr:n>{number}</ogr:n><ogr:t>{moment}</ogr:t></ogr:a>"
    "</gml:featureMember>",
    "<!-- <ogr:t>2020-02-30T00:00:00Z</ogr:t> --><gml:featureMember><ogr:b><ogr:n>9007199254740993 "
    "x</ogr:n><ogr:t>2020-02-30</ogr:t></ogr:b></gml:featureMember></ogr:FeatureCollection>",
)
KML = _text(
    "a.kml",
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Schema name="s" id="s">'
    '<SimpleField name="n" type="double"/></Schema>',
    "<Placemark><TimeStamp><when>{moment}</when></TimeStamp><ExtendedData><SchemaData "
    'schemaUrl="#s"><SimpleData name="n">{number}</SimpleData></SchemaData></ExtendedData><Point>'
    "<coordinates>1,2</coordinates></Point></Placemark>",
    "</Document></kml>",
)
GPX = _text(
    "a.gpx",
    '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">',
    '<wpt lat="1" lon="2"><time>{moment}</time><hdop>{number}</hdop></wpt>',
    "</gpx>",
)
JML = _text(
    "a.jml",
    '<JCSDataFile xmlns:gml="http://www.opengis.net/gml"><JCSGMLInputTemplate><CollectionElement>'
    "featureCollection</CollectionElement><FeatureElement>feature</FeatureElement>"
    "<GeometryElement>geometry</GeometryElement><ColumnDefinitions>"
    + "".join(
        f'<column><name>{name}</name><type>{kind}</type><valueElement elementName="property" '
        f'attributeName="name" attributeValue="{name}"/><valueLocation position="body"/></column>'
        for name, kind in (("n", "DOUBLE"), ("t", "DATE"))
    )
    + "</ColumnDefinitions></JCSGMLInputTemplate><featureCollection>",
    "<feature><geometry><gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point></geometry>"
    '<property name="n">{number}</property><property name="t">{moment}</property></feature>',
    "</featureCollection></JCSDataFile>",
)
TOPOJSON = _text(
    "a.topojson",
    '{"type":"Topology","arcs":[],"objects":{"a":{"type":"GeometryCollection","geometries":[',
    '{{"type":"Point","coordinates":[1,2],"properties":{{"n":{number},"t":"{moment}"}}}},',
    '{"type":"Point","coordinates":[1,2],"properties":{"n":1,"t":null}}]}}}',
)
XML = {"gml": GML, "kml": KML, "gpx": GPX, "jml": JML}
LAYERS = {"gpx": "waypoints", "gml": "a"}


@pytest.mark.parametrize("kind", [*XML, "topojson"])
@pytest.mark.parametrize(
    ("number", "moment", "reason"),
    [
        ("5", "2020-02-29T10:00:00.125Z", None),
        ("9007199254740992", "2020-03-30T10:00:00.125000Z", None),
        ("9007199254740993", "2020-02-28T10:00:00Z", "is not exact as a floating-point number"),
        ("5", "2020-02-30T10:00:00Z", "'2020-02-30T10:00:00Z' is a day that does not exist"),
        ("5", "2020-04-31T10:00:00Z", "is a day that does not exist"),
        ("5", "2020-02-28T10:00:00.123456Z", "is finer than milliseconds"),
    ],
)
def test_what_no_column_holds(
    kind: str, number: str, moment: str, reason: str | None, tmp_path: Path
) -> None:
    path = (XML | {"topojson": TOPOJSON})[kind](tmp_path, number, moment)
    profile, table = staged_vector(path, tmp_path / "s", layer=LAYERS.get(kind))
    if reason is None:
        assert profile.error is None
        assert table.num_rows == 2 + (kind == "topojson")
    else:
        assert reason in str(profile.error)


MIF = (
    'Version 300\nDelimiter ","\nCoordSys Earth Projection 1, 104\nColumns 3\n  id Integer\n'
    "  v Float\n  d Date\nData\n\nPoint {0} 2\n    Symbol (35,0,12)\nPline 2\n1 2\n{0} 4\n"
    "    Pen (1,2,0)\n"
)


@pytest.mark.parametrize(
    ("x", "mid", "reason"),
    [
        ("1.5", '1,"1.5",20200229\n2,2.5,""\n', None),
        ("1,5", "1,1.5,20200229\n2,2.5,20200131\n", "positions hold text that is not a number"),
        ("1", "1,1.5,20200230\n2,2.5,20200131\n", "'20200230' is a day that does not exist"),
        ("1", "1,9007199254740993,20200229\n2,2.5,20200131\n", "is not exact"),
        ("1", "1,1,20200229\n99999999999,2.5,20200131\n", "does not fit 32 bits"),
        ("1", "abc,1,20200229\n2,2.5,20200131\n", "column 'id': 'abc' is not a number"),
        ("1", '1,"1,5",20200229\n2,2.5,20200131\n', "column 'v': '1,5' is not a number"),
        ("1", "\ufeff1,1,20200229\n2,2.5,20200131\n", "byte order mark"),
        ("1", "1,1,20200229,7\n2,2.5,20200131\n", "not a table of 3 columns"),
        ("1", '"1,1,20200229\n"2",2.5,20200131\n', "quotes do not pair up"),
    ],
)
def test_mapinfo_text(x: str, mid: str, reason: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.mif"
    path.write_text(MIF.format(x))
    path.with_suffix(".mid").write_text(mid)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error is None) if reason is None else (reason in str(profile.error))


ESRI = (
    '{{"geometryType":"esriGeometryPoint","spatialReference":{{"wkid":4326}},"fields":['
    '{{"name":"n","type":"esriFieldTypeInteger"}},{{"name":"f","type":"esriFieldTypeDouble"}}],'
    '"features":[{{"attributes":{{"n":{n},"f":{f}}},"geometry":{{"x":1,"y":{y}}}}}]}}'
)


@pytest.mark.parametrize(
    ("n", "f", "y", "reason"),
    [
        ("5", "1.5", "2", None),
        ('"5"', "null", "2", None),
        ('"abc"', "1.5", "2", "column 'n': 'abc' is not a number"),
        ("5", '"1,5"', "2", "column 'f': '1,5' is not a number"),
        ("99999999999", "1.5", "2", "does not fit 32 bits"),
        ("5", "9007199254740993", "2", "is not exact"),
        ("5", "1.5", '"b"', "positions hold text that is not a number, the first 'b'"),
    ],
)
def test_esri_json(n: str, f: str, y: str, reason: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(ESRI.format(n=n, f=f, y=y))
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error is None) if reason is None else (reason in str(profile.error))


@pytest.mark.parametrize("more", ["", "5,", "null,", '{"type": "Pointt", "coordinates": [1, 2]},'])
def test_elements_that_are_no_features_of_topojson(more: str, tmp_path: Path) -> None:
    path = TOPOJSON(tmp_path, "1", "2020-01-31T10:00:00Z")
    path.write_text(path.read_text().replace('"geometries":[', f'"geometries":[{more}'))
    profile, table = staged_vector(path, tmp_path / "s")
    if more:
        assert "declares 4 features, only 3 can be read" in str(profile.error)
    else:
        assert (profile.error, table.num_rows) == (None, 3)


@pytest.mark.parametrize("more", ["", ",5", ",null"])
def test_elements_that_are_no_features_of_esri_json(more: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(ESRI.format(n=1, f=1.5, y=2).replace("}]}", f"}}{more}]}}"))
    profile, table = staged_vector(path, tmp_path / "s")
    if more:
        assert "declares 2 features, only 1 can be read" in str(profile.error)
    else:
        assert (profile.error, table.num_rows) == (None, 1)

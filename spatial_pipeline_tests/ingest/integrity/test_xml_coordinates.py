"""A coordinate of an XML format that is no number fails ``readable``, and is never 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity.xml_coordinates import verify
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

GML = (
    '<a:FeatureCollection xmlns:a="http://a" xmlns:{0}="http://www.opengis.net/gml/3.2" {0}:id="a">'
    "<a:featureMember><a:t><a:g>{1}</a:g><a:X>abc</a:X><a:pos>north</a:pos></a:t></a:featureMember>"
    "</a:FeatureCollection>"
)
KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>f</name><Placemark>'
    "<name>a</name><Point><coordinates>{}</coordinates></Point></Placemark></Folder></Document></kml>"
)
GPX = (
    '<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1">'
    '<wpt lat="{}" lon="2"><ele>{}</ele></wpt></gpx>'
)
POINT = "<{0}:Point {0}:id='g'><{0}:pos>{1}</{0}:pos></{0}:Point>"
LINE = "<{0}:LineString {0}:id='g'>{1}</{0}:LineString>"


def written(path: Path, text: str) -> Path:
    path.write_text(f"<?xml version='1.0'?>{text}")
    return path


def gml(folder: Path, shape: str, prefix: str = "gml") -> Path:
    return written(folder / "a.gml", GML.format(prefix, shape))


WRONG = ["nan 1", "abc 1", "1x 2", "1,5 2", "INF 1", "1.2.3 4", "1- 2", "1e 2", "0x1 2", "1 --2"]
RIGHT = ["1 2", " 1.5\n-2. ", "+1e3 .5", "1E-7 2", "1 2 3", ""]


@pytest.mark.parametrize("prefix", ["gml", "ns0"])
@pytest.mark.parametrize("text", WRONG)
def test_a_position_that_is_no_number_fails(text: str, prefix: str, tmp_path: Path) -> None:
    path = gml(tmp_path, POINT.format(prefix, text), prefix)
    with pytest.raises(
        SourceError, match="1 positions hold text that is not a number, the first '"
    ):
        verify(path, "GML")


@pytest.mark.parametrize("text", RIGHT)
def test_positions_of_numbers_pass_whatever_attributes_are_called(
    text: str, tmp_path: Path
) -> None:
    verify(gml(tmp_path, POINT.format("gml", text)), "GML")


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ("<gml:posList>1 2 x 4</gml:posList>", "x 4"),
        ('<gml:posList srsDimension="2">1 2 3,4</gml:posList>', "3,4"),
        ("<gml:coordinates>1,2 3,north</gml:coordinates>", "north"),
        ("<gml:coord><gml:X>1</gml:X><gml:Y>y</gml:Y></gml:coord>", "y"),
        ("<gml:pos>1 2</gml:pos><gml:pos>a 1</gml:pos><gml:pos>b 2</gml:pos>", "a 1"),
    ],
)
def test_the_first_wrong_text_is_shown(shape: str, first: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"the first '{first}'"):
        verify(gml(tmp_path, LINE.format("gml", shape)), "GML")


@pytest.mark.parametrize(
    "shape",
    [
        "<gml:posList/>",
        "<gml:coordinates>1,2 3,4,5\n6.5,-7e3</gml:coordinates>",
        '<gml:coordinates decimal="," cs=" " ts=";">1,5 2;3 4</gml:coordinates>',
        "<gml:posList>1 2 3 4</gml:posList><!-- <gml:pos>abc</gml:pos> -->",
    ],
)
def test_what_is_written_as_the_standard_says_passes(shape: str, tmp_path: Path) -> None:
    verify(gml(tmp_path, LINE.format("gml", shape)), "GML")


@pytest.mark.parametrize(
    ("name", "driver", "text", "wrong"),
    [
        ("a.kml", "LIBKML", KML.format("1.5,2"), None),
        ("a.kml", "LIBKML", KML.format("1, 2, 3"), None),
        ("a.kml", "LIBKML", KML.format("abc,1"), "abc,1"),
        ("a.kml", "KML", KML.format("1,nan"), "nan"),
        ("a.gpx", "GPX", GPX.format("1.5", "7"), None),
        ("a.gpx", "GPX", GPX.format("1.5", ""), None),
        ("a.gpx", "GPX", GPX.format("1.5x", "7"), "x"),
        ("a.gpx", "GPX", GPX.format("", "7"), ""),
        ("a.gpx", "GPX", GPX.format("1", "high"), "high"),
        ("a.xml", "GeoRSS", "<r><georss:point>45.2 -71.9</georss:point></r>", None),
        ("a.xml", "GeoRSS", "<r><georss:point>45,2 -71.9</georss:point></r>", "45,2 -71.9"),
        ("a.mapml", "MapML", "<m><map-coordinates>1 2 x</map-coordinates></m>", "x"),
        ("a.txt", "DXF", "<gml:pos>abc</gml:pos>", None),
    ],
)
def test_other_formats(
    name: str, driver: str, text: str, wrong: str | None, tmp_path: Path
) -> None:
    path = written(tmp_path / name, text)
    if wrong is None:
        verify(path, driver)
    else:
        with pytest.raises(SourceError, match=f"the first '.*{wrong}'"):
            verify(path, driver)


def test_an_empty_text(tmp_path: Path) -> None:
    (tmp_path / "a.gml").write_bytes(b"")
    verify(tmp_path / "a.gml", "GML")


def test_the_source_is_refused_and_empty_points_stay_empty(tmp_path: Path) -> None:
    profile, _ = staged_vector(gml(tmp_path, POINT.format("gml", "nan 1")), tmp_path / "s")
    assert "1 positions hold text that is not a number, the first 'nan 1'" in str(profile.error)
    profile, table = staged_vector(gml(tmp_path, POINT.format("gml", "")), tmp_path / "t")
    assert profile.error is None
    assert [g.wkt for g in geometries(profile, table)] == ["POINT EMPTY"]

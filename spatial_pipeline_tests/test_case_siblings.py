"""The kinds of fault that ``cases`` stands for, in other formats than those of its files."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely

from spatial_pipeline_tests.ingest.sources import (
    geometries,
    points,
    ramp,
    staged_raster,
    staged_vector,
    table_of,
    write_layer,
    write_raster,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def state(folder: Path) -> dict[str, str]:
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


VECTORS = {
    "csv": {"driver": "CSV", "GEOMETRY": "AS_WKT"}, "fgb": {}, "geojson": {}, "gml": {},
    "gpkg": {}, "jml": {"driver": "JML"}, "kml": {"driver": "KML"}, "mif": {}, "shp": {},
    "sqlite": {}, "tab": {"driver": "MapInfo File"}, "xlsx": None,
}  # fmt: skip


@pytest.mark.parametrize("suffix", [s for s, how in VECTORS.items() if how is not None])
def test_no_vector_reader_writes_beside_the_source(suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    path = write_layer(
        folder / f"a.{suffix}", table_of(points(3), id=[1, 2, 3]), "Point", **VECTORS[suffix] or {}
    )
    before = state(folder)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.count) == (None, 3)
    assert state(folder) == before


@pytest.mark.parametrize(
    ("driver", "name"),
    [("PNG", "a.png"), ("JPEG", "a.jpg"), ("AAIGrid", "a.asc"), ("HFA", "a.img"), ("ENVI", "a.dat"),
     ("netCDF", "a.nc"), ("GPKG", "a.gpkg"), ("MBTiles", "a.mbtiles"), ("VRT", "a.vrt")],
)  # fmt: skip
def test_no_raster_reader_writes_beside_the_source(driver: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    bands = 3 if driver in {"JPEG", "MBTiles"} else 1
    crs = "EPSG:3857" if driver == "MBTiles" else "EPSG:32633"
    source = write_raster(folder / "source.tif", ramp(bands, 60, 70, "uint8"), crs=crs)
    rasterio.shutil.copy(str(source), str(folder / name), driver=driver)
    before = state(folder)
    profile, _ = staged_raster(folder / name, tmp_path / "s")
    assert profile.error is None
    assert state(folder) == before


@pytest.mark.parametrize("suffix", ["geojson", "geojsonl", "gml", "kml", "mif", "fgb"])
def test_a_geometry_of_400_000_vertices(suffix: str, tmp_path: Path) -> None:
    angle = np.linspace(0, 6.28, 400_000)
    line = shapely.LineString(np.column_stack([np.cos(angle), np.sin(angle)]) * 10.123456789)
    how = {"geojsonl": {"driver": "GeoJSONSeq"}, "kml": {"driver": "KML"}}.get(suffix, {})
    shapes = [line, shapely.LineString([(0, 0), (1, 1)])]
    path = write_layer(
        tmp_path / f"a.{suffix}", table_of(shapes, id=[1, 2]), "LineString", **how
    )  # fmt: skip
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    found = shapely.get_num_coordinates(geometries(profile, table))
    assert sorted(found.tolist()) == [2, 400_000]


WRITER = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("PRAGMA cache_spill = 1")
database.execute("BEGIN")
database.execute("UPDATE t SET n = n + 100, s = s || s")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["a.sqlite", "a.gpkg"])
def test_a_transaction_that_did_not_end_is_not_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    path = folder / name
    rows = 2000
    if name == "a.gpkg":
        table = table_of(points(rows), n=[0] * rows, s=["x" * 50] * rows)
        write_layer(path, table, "Point", layer="t", SPATIAL_INDEX="NO")
        with closing(sqlite3.connect(path)) as database, database:
            found = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (trigger,) in found.fetchall():
                database.execute(f'DROP TRIGGER "{trigger}"')
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE t (n INTEGER, s TEXT)")
            database.executemany("INSERT INTO t VALUES (0, ?)", [("x" * 50,)] * rows)
    killed = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert path.with_name(name + "-journal").stat().st_size > 0
    before = state(folder)
    profile, found = staged_vector(path, tmp_path / "s")
    assert profile.error is not None or set(found["n"].to_pylist()) == {0}
    assert state(folder) == before


def test_infinite_bounds_in_a_header_of_flatgeobuf(tmp_path: Path) -> None:
    path = write_layer(
        tmp_path / "a.fgb", table_of([shapely.Point(1.5, 2.25)]), "Point", SPATIAL_INDEX="NO"
    )
    data = path.read_bytes()
    at = data.index(struct.pack("<d", 1.5))
    bounds = struct.pack("<4d", np.inf, np.nan, -np.inf, 1)
    path.write_bytes(data[:at] + bounds + data[at + 32 :])
    profile, _ = staged_vector(path, tmp_path / "s")
    assert (profile.error, profile.declared_bounds) == (None, None)
    assert profile.bounds == (1.5, 2.25, 1.5, 2.25)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


BOMBS = {
    "a.png": b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(bytes(100)))
    + _chunk(b"IEND", b""),
    "a.gif": b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff,"
    + struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x4c\x01\x00;",
    "a.vrt": b'<VRTDataset rasterXSize="100000" rasterYSize="100000"><VRTRasterBand '
    b'dataType="Byte" band="1"/></VRTDataset>',
    "a.asc": b"ncols 100000\nnrows 100000\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_pixels_that_no_bytes_stand_behind(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BOMBS[name])
    profile, _ = staged_raster(tmp_path / name, tmp_path / "s")
    assert "SPATIAL_MAX_PIXELS_PER_BYTE" in str(profile.error)


@pytest.mark.parametrize(
    ("driver", "name"),
    [("PNG", "a.png"), ("JPEG", "a.jpg"), ("HFA", "a.img"), ("ENVI", "a.dat")],
)
def test_external_overviews_have_a_compression_of_their_own(
    driver: str, name: str, tmp_path: Path
) -> None:
    bands = 3 if driver == "JPEG" else 1
    source = write_raster(tmp_path / "source.tif", ramp(bands, 600, 700, "uint8"))
    path = tmp_path / name
    rasterio.shutil.copy(str(source), str(path), driver=driver)
    _overviews(source, COMPRESS_OVERVIEW="DEFLATE").rename(path.with_name(name + ".ovr"))
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None


def _overviews(source: Path, **options: str) -> Path:
    """Overviews of a TIFF in a file of their own."""
    with rasterio.Env(TIFF_USE_OVR=True, **options), rasterio.open(source, "r+") as raster:
        raster.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    return source.with_name(source.name + ".ovr")


@pytest.mark.parametrize("driver", ["HFA", "PNG", "VRT"])
def test_overviews_that_do_not_match_the_base_are_made_again(driver: str, tmp_path: Path) -> None:
    path = tmp_path / {"HFA": "a.img", "PNG": "a.png", "VRT": "a.vrt"}[driver]
    source = write_raster(tmp_path / "source.tif", np.full((1, 1200, 1300), 7, "uint8"))
    rasterio.shutil.copy(str(source), str(path), driver=driver)
    overviews = _overviews(source).rename(path.with_name(path.name + ".ovr"))
    with rasterio.open(overviews, "r+") as raster:
        raster.write(np.full((1, raster.height, raster.width), 99, "uint8"))
    profile, staged = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    with rasterio.open(staged, overview_level=0) as raster:
        assert np.unique(raster.read(1)).tolist() == [7]


@pytest.mark.parametrize(("driver", "name"), [("ENVI", "a.dat"), ("VRT", "a.vrt")])
def test_two_thousand_bands(driver: str, name: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (2000, 4, 4)).astype("uint8")
    source = write_raster(
        tmp_path / "source.tif", values, tiled=False, blockxsize=None, blockysize=4
    )
    rasterio.shutil.copy(str(source), str(tmp_path / name), driver=driver)
    profile, staged = staged_raster(tmp_path / name, tmp_path / "s")
    assert profile.error is None
    with rasterio.open(staged) as raster:
        assert (raster.read() == values).all()


@pytest.mark.parametrize(("driver", "name"), [("netCDF", "a.nc"), ("JP2OpenJPEG", "a.jp2")])
def test_a_block_that_does_not_decode_is_the_sources_fault(
    driver: str, name: str, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 300, 300)).astype("uint8")
    source = write_raster(tmp_path / "source.tif", values)
    path = tmp_path / name
    how = {"FORMAT": "NC4", "COMPRESS": "DEFLATE"} if driver == "netCDF" else {}
    rasterio.shutil.copy(str(source), str(path), driver=driver, **how)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    # A codestream without checksums still decodes where bytes in it are others.
    path.write_bytes(
        data[:middle] if name == "a.jp2" else data[:middle] + bytes(400) + data[middle + 400 :]
    )
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is not None
    assert "cannot be written" not in profile.error
    assert "does not hold" not in profile.error


IDS = {
    "a.geojsonl": '{"type":"Feature","id":ID,"properties":{},"geometry":null}\n',
    "a.topojson": '{"type":"Point","id":ID,"coordinates":[1,2],"properties":{}}',
    "a.gml": '<gml:featureMember><ogr:a gml:id="ID"><ogr:n>5</ogr:n></ogr:a></gml:featureMember>',
    "a.kml": '<Placemark id="ID"><Point><coordinates>1,2</coordinates></Point></Placemark>',
}
AROUND = {
    "a.geojsonl": "{}{}",
    "a.topojson": '{{"type":"Topology","arcs":[],"objects":{{"a":{{"type":"GeometryCollection",'
    '"geometries":[{},{}]}}}}}}',
    "a.gml": '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
    'xmlns:gml="http://www.opengis.net/gml">{}{}</ogr:FeatureCollection>',
    "a.kml": '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}{}</Document></kml>',
}


@pytest.mark.parametrize("name", IDS)
def test_ids_of_features_are_a_column_though_two_are_equal(name: str, tmp_path: Path) -> None:
    feature = IDS[name].replace("ID", "7" if name.endswith(("json", "jsonl")) else "x7")
    (tmp_path / name).write_text(AROUND[name].format(feature, feature))
    profile, table = staged_vector(tmp_path / name, tmp_path / "s")
    assert profile.error is None
    ids = table["gml_id" if name == "a.gml" else "id"].to_pylist()
    assert [str(i) for i in ids] == (["7", "7"] if name.endswith(("json", "jsonl")) else ["x7"] * 2)


@pytest.mark.parametrize("name", ["a.geojson", "a.csv", "a.gml", "a.kml", "a.topojson", "a.mif"])
def test_a_byte_order_mark_loses_nothing_or_is_refused(name: str, tmp_path: Path) -> None:
    texts = {
        "a.geojson": '{"type":"FeatureCollection","features":['
        + ",".join(['{"type":"Feature","properties":{"n":1},"geometry":null}'] * 2)
        + "]}",
        "a.csv": "n,x,y\n1,2,3\n2,3,4\n",
        "a.mif": 'Version 300\nDelimiter ","\nCoordSys Earth Projection 1, 104\nColumns 1\n'
        "  n Integer\nData\n\nPoint 1 2\nPoint 3 4\n",
    }
    feature = IDS.get(name, "").replace("ID", '"7"' if name == "a.topojson" else "x7")
    text = texts.get(name) or AROUND[name].format(feature, feature)
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "a.mid").write_bytes(b"\xef\xbb\xbf1\n2\n")
    profile, table = staged_vector(tmp_path / name, tmp_path / "s")
    assert profile.error is not None or table.num_rows == 2
    if "n" in table.column_names and name != "a.gml":
        assert table["n"].to_pylist() == ([1, 1] if name == "a.geojson" else [1, 2])


@pytest.mark.parametrize("comma", ["", ","])
def test_a_comma_behind_the_last_element(comma: str, tmp_path: Path) -> None:
    point = '{"type":"Point","coordinates":[1,2]}'
    feature = f'{{"type":"Feature","properties":{{}},"geometry":{point}}}'
    texts = {
        "a.geojson": f'{{"type":"FeatureCollection","features":[{feature}{comma}]}}',
        "a.topojson": '{"type":"Topology","arcs":[],"objects":{"a":{"type":"GeometryCollection",'
        f'"geometries":[{point}{comma}]}}}}}}',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        profile, _ = staged_vector(tmp_path / name, tmp_path / f"s {name}")
        assert (profile.error is None) is (comma == ""), name

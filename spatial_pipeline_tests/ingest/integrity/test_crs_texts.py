"""A CRS that nobody understands is said, with the beginning of its text, in every format."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine

from spatial_pipeline.model.crs.comparison import compare, same
from spatial_pipeline_tests.ingest.sources import staged_raster, staged_vector

BROKEN = 'PROJCS["not a CRS",GEOGCS["broken",'
UNKNOWN = "neither WKT nor a code"
UTM = pyproj.CRS(32633)
BOUND = UTM.to_wkt("WKT1_GDAL").replace(
    '298.257223563,AUTHORITY["EPSG","7030"]]',
    '298.257223563,AUTHORITY["EPSG","7030"]],TOWGS84[0,0,0,0,0,0,0]',
)


def features(path: Path, crs: str = "EPSG:32633", **options: Any) -> Path:
    wkb = shapely.to_wkb(np.array([shapely.Point(500000, 4000000)], dtype=object))
    pyogrio.raw.write(
        str(path), geometry=wkb, geometry_type="Point", crs=crs,
        field_data=[np.array([1])], fields=["a"], **options,
    )  # fmt: skip
    return path


def pixels(path: Path, **options: Any) -> Path:
    place = Affine(10, 0, 500000, 0, -10, 4000000)
    with rasterio.open(
        path, "w", width=4, height=3, count=1, dtype="uint8", transform=place, **options
    ) as out:
        out.write(np.arange(12, dtype="uint8").reshape(1, 3, 4))
    return path


def edit(path: Path, pattern: str, text: str) -> None:
    edited, count = re.subn(pattern, lambda _: text, path.read_text(), flags=re.DOTALL)
    assert count
    path.write_text(edited)


def shapefile(folder: Path, text: str) -> Path:
    path = features(folder / "a.shp")
    path.with_suffix(".prj").write_text(text)
    return path


def csv(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_text("x,y\n1,2\n")
    path.with_suffix(".prj").write_text(text)
    return path


def geopackage(folder: Path, text: str) -> Path:
    path = features(folder / "a.gpkg")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE gpkg_spatial_ref_sys SET definition = ?, organization = 'NONE', "
            "organization_coordsys_id = 77 WHERE srs_id = 32633",
            (text,),
        )
    return path


def flatgeobuf(folder: Path, text: str) -> Path:
    path = features(folder / "a.fgb", "+proj=tmerc +lon_0=11.123 +ellps=bessel +type=crs")
    data = path.read_bytes()
    begin = data.index(b"PROJCRS[")
    path.write_bytes(data[:begin] + text.encode() + data[begin + len(text) :])
    return path


def gml(folder: Path, text: str) -> Path:
    path = features(folder / "a.gml", driver="GML")
    path.with_suffix(".xsd").unlink()
    edit(path, 'srsName="[^"]*"', f'srsName="{text.replace(chr(34), "&quot;")}"')
    return path


def mapinfo(folder: Path, text: str) -> Path:
    path = features(folder / "a.mif", driver="MapInfo File")
    edit(path, r"CoordSys[^\n]*", f"CoordSys {text}")
    return path


def geoparquet(folder: Path, text: str) -> Path:
    geo = {"version": "1.1.0", "primary_column": "g", "columns": {"g": {
        "encoding": "WKB", "geometry_types": [], "crs": text}}}  # fmt: skip
    wkb = shapely.to_wkb(shapely.Point(1, 2))
    table = pa.table({"g": pa.array([wkb], pa.binary())})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), folder / "a.parquet")
    return folder / "a.parquet"


def parquet_column(folder: Path, text: str) -> Path:
    marks = {"ARROW:extension:name": "geoarrow.wkb",
             "ARROW:extension:metadata": json.dumps({"crs": text})}  # fmt: skip
    field = pa.field("g", pa.binary(), metadata=marks)
    wkb = shapely.to_wkb(shapely.Point(1, 2))
    pq.write_table(pa.table([pa.array([wkb])], schema=pa.schema([field])), folder / "a.parquet")
    return folder / "a.parquet"


@pytest.mark.parametrize("text", [BROKEN, UNKNOWN])
@pytest.mark.parametrize(
    "made",
    [shapefile, csv, geopackage, flatgeobuf, gml, mapinfo, geoparquet, parquet_column],
    ids=lambda f: f.__name__,
)
def test_a_vector_source_says_how_its_crs_begins(
    made: Callable[[Path, str], Path], text: str, tmp_path: Path
) -> None:
    profile, table = staged_vector(made(tmp_path, text), tmp_path / "out")
    assert (profile.error, profile.crs, table.num_rows) == (None, None, 1)
    (note,) = [n for n in profile.notes if text[:20] in n.replace("\\'", "'")]
    assert re.search("not understood|Unable to parse|Failed parsing", note)


def test_a_database_whose_srtext_is_broken_is_refused_with_the_text(tmp_path: Path) -> None:
    path = features(tmp_path / "a.sqlite", driver="SQLite")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE spatial_ref_sys SET srtext = ?, auth_name = NULL, auth_srid = NULL", (BROKEN,)
        )
    profile, _ = staged_vector(path, tmp_path / "out")
    assert "the CRS in spatial_ref_sys is not understood: 'PROJCS" in str(profile.error)


def test_an_empty_prj_declares_nothing(tmp_path: Path) -> None:
    profile, _ = staged_vector(shapefile(tmp_path, " \n"), tmp_path / "out")
    assert (profile.error, profile.crs, profile.notes) == (None, None, ())


def test_a_code_that_is_not_used_is_said(tmp_path: Path) -> None:
    path = features(tmp_path / "a.fgb")
    data = path.read_bytes()
    path.write_bytes(data.replace((32633).to_bytes(4, "little"), (999999).to_bytes(4, "little")))
    profile, _ = staged_vector(path, tmp_path / "out")
    assert profile.crs is None
    assert any(n.startswith("the CRS in the header is not used: 'PROJCRS") for n in profile.notes)


def vrt(folder: Path, text: str) -> Path:
    pixels(folder / "a.tif", crs=UTM)
    path = folder / "a.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="4" rasterYSize="3"><SRS>{text.replace(chr(34), "&quot;")}</SRS>'
        "<GeoTransform>500000,10,0,4000000,0,-10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><ColorInterp>Gray</ColorInterp><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename></SimpleSource></VRTRasterBand>'
        "</VRTDataset>"
    )
    return path


def grid(folder: Path, text: str) -> Path:
    path = folder / "a.asc"
    path.write_text("ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n")
    path.with_suffix(".prj").write_text(text)
    return path


def envi(folder: Path, text: str) -> Path:
    path = pixels(folder / "a.bin", driver="ENVI", crs=UTM)
    edit(path.with_suffix(".hdr"), r"map info = [^\n]*\n", "")
    edit(path.with_suffix(".hdr"), r"coordinate system string = [^\n]*",
         f"coordinate system string = {{{text}}}")  # fmt: skip
    (folder / "a.bin.aux.xml").unlink(missing_ok=True)
    return path


def image(folder: Path, text: str) -> Path:
    path = pixels(folder / "a.png", driver="PNG", crs=UTM)
    srs = f"<SRS>{text.replace(chr(34), '&quot;')}</SRS>"
    edit(folder / "a.png.aux.xml", r"<SRS.*?</SRS>", srs)
    return path


@pytest.mark.parametrize("text", [BROKEN, UNKNOWN])
@pytest.mark.parametrize("made", [vrt, grid, envi, image], ids=lambda f: f.__name__)
def test_a_raster_says_how_its_crs_begins(
    made: Callable[[Path, str], Path], text: str, tmp_path: Path
) -> None:
    profile, _ = staged_raster(made(tmp_path, text), tmp_path / "out")
    assert (profile.error, profile.crs) == (None, None)
    (note,) = [n for n in profile.notes if "is not understood" in n]
    assert text[:20] in note


def test_a_prj_beside_a_raster_with_a_crs_of_its_own_is_none_of_it(tmp_path: Path) -> None:
    path = pixels(tmp_path / "a.tif", driver="GTiff", crs=UTM)
    path.with_suffix(".prj").write_text(BROKEN)
    profile, _ = staged_raster(path, tmp_path / "out")
    assert same(profile.pyproj_crs, UTM)
    assert not [n for n in profile.notes if "CRS" in n]


def esri(folder: Path) -> Path:
    text = UTM.to_wkt("WKT1_ESRI")
    spheroid = re.search(r"SPHEROID\[.*?\]", text)
    assert spheroid is not None
    return shapefile(folder, text.replace(spheroid[0], f"{spheroid[0]},TOWGS84[0,0,0]"))


def with_srs(folder: Path) -> Path:
    return geopackage(folder, BOUND)


def tab(folder: Path) -> Path:
    return features(folder / "a.tab", driver="MapInfo File")


def mif(folder: Path) -> Path:
    return mapinfo(folder, 'Earth Projection 8, 9999, 28, 0, 0, 0, 0, 0, 0, 0, 0, "m", 15, 0, '
                   "0.9996, 500000, 0")  # fmt: skip


@pytest.mark.parametrize("made", [esri, with_srs, tab, mif], ids=lambda f: f.__name__)
def test_formats_that_write_wgs_84_with_a_shift_of_zeros_mean_it(
    made: Callable[[Path], Path], tmp_path: Path
) -> None:
    profile, _ = staged_vector(made(tmp_path), tmp_path / "out")
    assert profile.pyproj_crs is not None
    assert compare(profile.pyproj_crs, UTM).differences == ()


@pytest.mark.parametrize("crs", [BOUND, BOUND.replace("WGS 84 / UTM zone 33N", "a citation")])
@pytest.mark.parametrize("driver", ["GTiff", "HFA", "ENVI", "PNG"])
def test_rasters_that_write_a_shift_of_zeros_mean_the_same_grid(
    driver: str, crs: str, tmp_path: Path
) -> None:
    path = pixels(tmp_path / f"a.{driver.lower()}", driver=driver, crs=rasterio.CRS.from_wkt(crs))
    profile, _ = staged_raster(path, tmp_path / "out")
    assert same(profile.pyproj_crs, UTM)

"""Tags of all domains: read in one order on both sides, and carried to the staged raster."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from PIL import Image

from spatial_pipeline.ingest import raster_tags
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.store.staged import StagedRaster
from spatial_pipeline_tests.ingest.sources import staged_raster
from spatial_pipeline_tests.ingest.tiffs import ASCII, METADATA, PLACE, write_tiff

VALUES = np.arange(2500, dtype="uint8").reshape(50, 50)
IMD = """version = "R";
bandId = "P";
BEGIN_GROUP = IMAGE_1
\tsatId = "WV02";
\tfirstLineTime = 2010-04-01T12:00:00.000000Z;
\tcloudCover = 0.0;
END_GROUP = IMAGE_1
END;
"""
MTL = """GROUP = L1_METADATA_FILE
  GROUP = PRODUCT_METADATA
    SPACECRAFT_ID = "LANDSAT_8"
    DATE_ACQUIRED = 2013-04-07
    SCENE_CENTER_TIME = 15:47:03.0882620Z
  END_GROUP = PRODUCT_METADATA
END_GROUP = L1_METADATA_FILE
END
"""
GEOEYE = """==========
Source Image Metadata
   Sensor: GeoEye-1
   Percent Cloud Cover: 3
"""
RPC = "".join(
    f"{name}: {value}\n"
    for name, value in {
        **{f"{k}_OFF": i + 0.1 for i, k in enumerate(("LINE", "SAMP", "LAT", "LONG", "HEIGHT"))},
        **{f"{k}_SCALE": i + 1.7 for i, k in enumerate(("LINE", "SAMP", "LAT", "LONG", "HEIGHT"))},
        **{
            f"{k}_COEFF_{i}": i / 7
            for k in ("LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN")
            for i in range(1, 21)
        },
    }.items()
)
STATISTICS = """<PAMDataset><PAMRasterBand band="1"><Metadata>
<MDI key="STATISTICS_MAXIMUM">nan</MDI><MDI key="STATISTICS_MEAN">-inf</MDI>
</Metadata><Histograms><HistItem><HistMin>-inf</HistMin><HistMax>nan</HistMax>
<BucketCount>2</BucketCount><HistCounts>1|2</HistCounts></HistItem></Histograms>
</PAMRasterBand></PAMDataset>"""


def tags_of(path: Path) -> raster_tags.Tags:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as dataset:
            return raster_tags.loaded(dataset)


def carried(path: Path, tmp_path: Path) -> tuple[RasterProfile, raster_tags.Tags]:
    """Profile of a staged raster that has all tags of its source, and those tags."""
    profile, target = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert profile.notes == ()
    assert not target.with_suffix(".IMD").exists()
    before = tags_of(path)
    assert raster_tags.lost(before, tags_of(target)) == {}
    staged = StagedRaster(target, profile, "v").tags()
    assert {k: staged.get(k) for k in profile.tags} == profile.tags
    return profile, before


@pytest.mark.parametrize(
    ("name", "sidecars", "kind", "domains"),
    [
        ("a.tif", {"a.IMD": IMD}, "DG", {"IMD", "IMAGERY"}),
        ("LC08_B1.TIF", {"LC08_MTL.txt": MTL}, "ODL", {"IMD", "IMAGERY"}),
        ("a.tif", {"a_RPC.TXT": RPC}, "GE", {"RPC"}),
        ("a.tif", {"a_metadata.txt": GEOEYE, "a_rpc.txt": RPC}, "GE", {"IMD", "RPC"}),
        ("a.tif", {"a.IMD": IMD, "a.tif.aux.xml": STATISTICS}, "DG", {"IMD", "IMAGERY"}),
        ("LC08_B1.TIF", {"LC08_MTL.txt": MTL, "LC08_B1.TIF.aux.xml": STATISTICS}, "ODL", {"IMD"}),
    ],
)
def test_metadata_of_satellites(
    tmp_path: Path, name: str, sidecars: dict[str, str], kind: str, domains: set[str]
) -> None:
    path = write_tiff(tmp_path / name, VALUES)
    for other, text in sidecars.items():
        (tmp_path / other).write_text(text)
    profile, tags = carried(path, tmp_path)
    assert profile.tags["METADATATYPE"] == kind
    assert domains <= {domain for _, domain, _ in tags}
    if any(".aux.xml" in s for s in sidecars):
        assert tags[1, "", "STATISTICS_MEAN"] == "-inf"


def test_statistics_that_are_not_finite(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES)
    (tmp_path / "a.tif.aux.xml").write_text(STATISTICS)
    _, tags = carried(path, tmp_path)
    assert tags[1, "", "STATISTICS_MAXIMUM"] == "nan"


PAM = """<PAMDataset><Metadata><MDI key="own">ü &lt;&amp;&gt;</MDI></Metadata>
<Metadata domain="GEOLOCATION"><MDI key="X_DATASET">a.tif</MDI></Metadata>
<Metadata domain="xml:ESRI" format="xml"><GeodataXform><a b="ä">1</a></GeodataXform></Metadata>
<PAMRasterBand band="1">{}</PAMRasterBand></PAMDataset>"""


@pytest.mark.parametrize(
    "band", ["", '<Metadata><MDI key="k">v</MDI></Metadata>',
             '<Metadata domain="D"><MDI key="k">ö</MDI></Metadata>'],
)  # fmt: skip
def test_other_domains_beside_tags_of_bands(tmp_path: Path, band: str) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES)
    (tmp_path / "a.tif.aux.xml").write_text(PAM.format(band), encoding="utf-8")
    profile, tags = carried(path, tmp_path)
    assert profile.tags["own"] == "ü <&>"
    assert tags[0, "GEOLOCATION", "X_DATASET"] == "a.tif"
    (document,) = [value for (_, domain, _), value in tags.items() if domain == "xml:ESRI"]
    assert ET.fromstring(document)[0].get("b") == "ä"


def test_scales_that_are_not_finite_are_texts(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES)
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Offset>nan</Offset><Scale>inf</Scale>'
        "</PAMRasterBand></PAMDataset>"
    )
    profile, _ = staged_raster(path, tmp_path / "s")
    assert profile.error is None
    assert (profile.bands[0].scale, profile.bands[0].offset) == ("inf", "nan")


def test_category_names_and_attribute_tables(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", VALUES)
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>none</Category>'
        "<Category>wood</Category></CategoryNames><GDALRasterAttributeTable>"
        '<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>'
        '<Row index="0"><F>1</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>'
    )
    profile, target = staged_raster(path, tmp_path / "s")
    assert (profile.error, profile.notes) == (None, ())
    beside = target.with_name("data.tif.aux.xml").read_text()
    assert "wood" in beside
    assert "GDALRasterAttributeTable" in beside


def test_pictures(tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 32), (9, 8, 7))
    exif = Image.Exif()
    exif[0x010F], exif[0x0132] = "maker", "2020:01:01 00:00:00"
    for suffix in ("jpg", "png"):
        path = tmp_path / f"a.{suffix}"
        image.save(path, exif=exif, xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>')
        path.with_suffix(".wld").write_text("10\n0\n0\n-10\n500005\n3999995\n")
        folder = tmp_path / suffix
        folder.mkdir()
        profile, _ = carried(path, folder)
        assert profile.tags.get("EXIF_Make", "maker") == "maker"


LATIN1 = (
    b'<GDALMetadata><Item name="n" sample="0" role="description">K\xf6ln</Item>'
    b'<Item name="place">M\xfcnchen</Item><Item name="fine">\xc3\xb6</Item></GDALMetadata>\0'
)


@pytest.mark.parametrize(
    ("encoding", "description", "tag"),
    [(None, "K\\xf6ln", "M\\xfcnchen"), ("latin-1", "Köln", "München")],
)
def test_texts_that_are_not_utf8(
    tmp_path: Path, encoding: str | None, description: str, tag: str
) -> None:
    tags: dict[int, Any] = {**PLACE, METADATA: (ASCII, LATIN1), 315: (ASCII, b"\xc4rmel\0")}
    path = write_tiff(tmp_path / "a.tif", VALUES, "7", tags)
    profile, target = staged_raster(path, tmp_path / "s", encoding=encoding)
    assert profile.error is None
    assert profile.bands[0].description == description
    assert profile.bands[0].nodata == 7
    assert profile.tags["place"] == tag
    assert profile.tags["fine"] == "ö"
    assert profile.tags["TIFFTAG_ARTIST"] == ("Ärmel" if encoding else "\\xc4rmel")
    assert profile.driver == "GTiff"
    assert len(profile.notes) == 3
    assert any("description of band 1 is not UTF-8" in n for n in profile.notes)
    with rasterio.open(target) as dataset:
        assert dataset.descriptions == (description,)
        assert dataset.tags()["place"] == tag
        assert dataset.nodata == 7
        assert np.array_equal(dataset.read(1), VALUES)

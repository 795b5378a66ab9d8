"""Files that point to other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from spatial_pipeline.ingest import resolve
from spatial_pipeline.sources import references
from spatial_pipeline.sources.fingerprint import fingerprint
from spatial_pipeline_tests.ingest.sources import ramp, staged_raster, write_raster

VRT = """<VRTDataset rasterXSize="300" rasterYSize="200"><GeoTransform>
5e5, 10, 0, 6e6, 0, -10</GeoTransform><VRTRasterBand dataType="UInt16" band="1">
<SimpleSource><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>
<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


def vrt(path: Path, name: str, relative: int = 1) -> Path:
    path.write_text(VRT.format(name=name, relative=relative))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_raster(tmp_path / "a.tif", ramp(1, 200, 300))
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    return tmp_path


def test_the_files_of_a_vrt_are_part_of_the_source(folder: Path) -> None:
    vrt(folder / "b.vrt", "a.tif")
    vrt(folder / "c.vrt", "b.vrt")
    found = resolve("c.vrt", folder)
    assert [f.name for f in found.files] == ["c.vrt", "b.vrt", "a.tif", "a.tif.aux.xml"]


def test_a_change_of_a_referenced_file_changes_the_fingerprint(folder: Path) -> None:
    vrt(folder / "c.vrt", str(folder / "a.tif"), relative=0)
    before = fingerprint(resolve("c.vrt", folder))
    write_raster(folder / "a.tif", ramp(1, 200, 300) + 1)
    assert fingerprint(resolve("c.vrt", folder)) != before


def test_a_vrt_is_staged_with_the_pixels_of_its_sources(folder: Path) -> None:
    profile, staged = staged_raster(vrt(folder / "b.vrt", "a.tif"), folder / "s")
    assert profile.error is None
    assert profile.driver == "VRT"
    assert profile.cog_errors == ("not a GeoTIFF",)
    with rasterio.open(staged) as dataset:
        assert np.array_equal(dataset.read(), ramp(1, 200, 300))


def test_a_vrt_that_refers_to_itself_ends(folder: Path) -> None:
    vrt(folder / "b.vrt", "c.vrt")
    vrt(folder / "c.vrt", "b.vrt")
    assert resolve("b.vrt", folder).error is None
    assert staged_raster(folder / "b.vrt", folder / "s")[0].error is not None


@pytest.mark.parametrize(
    ("name", "relative", "message"),
    [
        ("gone.tif", 1, "b.vrt refers to gone.tif, which does not exist"),
        ("/vsicurl/http://localhost/x.tif", 0, "only plain files can be followed"),
        ("http://localhost/x.tif", 0, "only plain files can be followed"),
        ("NETCDF:x.nc:var", 0, "only plain files can be followed"),
        ("&lt;VRTDataset/&gt;", 0, "only plain files can be followed"),
        ("</SourceFilename>", 0, "is not well-formed XML"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    folder: Path, name: str, relative: int, message: str
) -> None:
    vrt(folder / "b.vrt", name, relative)
    assert message in str(resolve("b.vrt", folder).error)


def test_a_vrt_may_not_lead_out_of_what_is_allowed(folder: Path) -> None:
    (folder / "inner").mkdir()
    vrt(folder / "inner/b.vrt", "../a.tif")
    error = resolve("inner/b.vrt", folder, [str(folder / "inner")]).error
    assert "a.tif lies outside of the allowed sources" in str(error)
    assert resolve("inner/b.vrt", folder, [str(folder)]).error is None


def test_an_ogr_vrt_is_followed(folder: Path) -> None:
    (folder / "p.csv").write_text("id,x,y\n1,2,3\n")
    (folder / "p.vrt").write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="p"><SrcDataSource relativeToVRT="1">p.csv'
        "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    assert [f.name for f in resolve("p.vrt", folder).files] == ["p.vrt", "p.csv"]


def test_sql_in_an_ogr_vrt_is_refused(folder: Path) -> None:
    (folder / "p.csv").write_text("id,x,y\n1,2,3\n")
    (folder / "p.vrt").write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="p"><SrcDataSource relativeToVRT="1">p.csv'
        "</SrcDataSource><SrcSQL>SELECT * FROM '/etc/x.csv'.x</SrcSQL></OGRVRTLayer>"
        "</OGRVRTDataSource>"
    )
    assert "p.vrt selects by SQL" in str(resolve("p.vrt", folder).error)


def test_a_header_that_names_a_file_elsewhere_is_refused(folder: Path) -> None:
    (folder / "inner").mkdir()
    header = (
        'DatasetHeader Begin\n  DataFile = "{0}"\n  DataSetType = ERStorage\n  DataType = Raster\n'
        "  ByteOrder = LSBFirst\n  RasterInfo Begin\n    CellType = Unsigned8BitInteger\n"
        "    NrOfLines = 4\n    NrOfCellsPerLine = 4\n    NrOfBands = 1\n  RasterInfo End\n"
        "DatasetHeader End\n"
    )
    (folder / "secret.bin").write_bytes(bytes(range(16)))
    (folder / "inner/near").write_bytes(bytes(range(16)))
    (folder / "inner/a.ers").write_text(header.format("../secret.bin"))
    (folder / "inner/near.ers").write_text(header.format("near"))
    profile, _ = staged_raster(folder / "inner/a.ers", folder / "s")
    assert profile.error is not None
    profile, _ = staged_raster(folder / "inner/near.ers", folder / "t")
    assert profile.error is None
    assert not any("no new version" in note for note in profile.notes)
    assert [f.name for f in resolve("inner/near.ers", folder).files] == ["near.ers", "near"]


@pytest.mark.parametrize(
    "text",
    ['<GDAL_WMS><Service name="TMS"/></GDAL_WMS>', "<OGRWFSDataSource/>",
     '{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}',
     "<GDALTileIndexDataset/>", '!table\n"\\IsSeamless" = "TRUE"',
     '<VRTDataset subClass="VRTProcessedDataset"/>'],
)  # fmt: skip
def test_descriptions_of_services_are_refused(folder: Path, text: str) -> None:
    (folder / "service.xml").write_text(text)
    assert "describes a service" in str(resolve("service.xml", folder).error)


def test_references_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MAX_REFERENCES", 0)
    vrt(folder / "b.vrt", "a.tif")
    assert "refers to more than 0 files" in str(resolve("b.vrt", folder).error)
    monkeypatch.setattr(references, "MAX_VIRTUAL_BYTES", 10)
    assert "larger than 10 bytes" in str(resolve("b.vrt", folder).error)


def test_entities_do_not_expand_without_bound(folder: Path) -> None:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    (folder / "b.vrt").write_text(
        f'<!DOCTYPE x [<!ENTITY e0 "{"x" * 50}">{entities}]><VRTDataset>&e11;</VRTDataset>'
    )
    assert "is not well-formed XML" in str(resolve("b.vrt", folder).error)

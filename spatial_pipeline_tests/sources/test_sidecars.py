"""Which files belong to a named one."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.sources.sidecars import folder_dataset, sidecars


@pytest.mark.parametrize(
    ("name", "mine", "others"),
    [
        ("a.shp", ["a.SHX", "a.dbf", "a.prj", "a.cpg", "a.qpj", "a.shp.xml"], ["a.tfw", "aa.dbf"]),
        ("a.tif", ["a.tfw", "a.tifw", "a.TIF.aux.xml", "a.tif.ovr", "a.tif.msk", "a.wld"],
         ["a.shp", "a.dbf", "ab.tfw", "a.jpg", "a.geojson"]),
        ("LC08_2013_B1.TIF", ["LC08_2013_MTL.txt"], ["LC08_MTL.txt", "LC08_2014_MTL.txt"]),
        ("s.tif", ["s.IMD", "s.RPB", "s.XML", "s_rpc.txt", "s_RPC.TXT", "s_metadata.txt", "s.pvl",
                   "s_metadata.xml", "s.pass", "METADATA.DIM"],
         ["summary.txt", "DIM_s.XML", "t.IMD"]),
        ("po_1_pan_000.tif", ["po_1_metadata.txt"], ["po_metadata.txt"]),
        ("IMG_PHR1A_R1C1.TIF", ["DIM_PHR1A.XML", "RPC_PHR1A.XML", "DIM_PHR1A_R1C1.XML"],
         ["DIM_PHR1B.XML"]),
        ("IMG-HH-ALPS.tif", ["summary.txt", "HDR-HH-ALPS.txt", "RPC-ALPS.txt"], ["HDR-HV.txt"]),
        ("a.jpg", ["a.jgw", "a.jpgw", "a.jpg.aux.xml"], ["a.tfw", "a.png"]),
        ("a.png", ["a.pgw", "a.wld"], ["a.jgw"]),
        ("a.gpkg", ["a.gpkg-wal", "a.gpkg-journal"], ["a.gpkg-shm", "a.shp"]),
        ("a.csv", ["a.csvt", "a.prj"], ["a.txt"]),
        ("a.tsv", ["a.csvt", "a.prj"], ["a.csv", "a.wld"]),
        ("a.tab", ["a.dat", "a.map", "a.id"], ["a.tif"]),
        ("a.geojson", [], ["a.shp", "a.prj", "a.tfw"]),
    ],
)  # fmt: skip
def test_sidecars(tmp_path: Path, name: str, mine: list[str], others: list[str]) -> None:
    for file in (name, *mine, *others):
        (tmp_path / file).touch()
    assert {f.name for f in sidecars(tmp_path / name)} == set(mine)


def test_an_ordinary_folder_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder: name a file in it"):
        folder_dataset(tmp_path)

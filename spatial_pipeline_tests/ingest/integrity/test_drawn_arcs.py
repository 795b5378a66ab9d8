"""Arcs that GDAL makes lines of are said, with a bound that holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from spatial_pipeline.ingest.integrity import drawn_arcs
from spatial_pipeline_tests.ingest.sources import geometries, staged_vector

LAYER = "8\n0\n100\nAcDbEntity\n"
ARC = f"0\nARC\n{LAYER}100\nAcDbCircle\n10\n0\n20\n0\n40\n100\n100\nAcDbArc\n50\n0\n51\n90\n"
CIRCLE = f"0\nCIRCLE\n{LAYER}100\nAcDbCircle\n10\n0\n20\n0\n40\n100\n"
ELLIPSE = (
    f"0\nELLIPSE\n{LAYER}100\nAcDbEllipse\n10\n0\n20\n0\n11\n100\n21\n0\n40\n0.5\n"
    "41\n0\n42\n6.2831853\n"
)
BENT = (
    f"0\nLWPOLYLINE\n{LAYER}100\nAcDbPolyline\n90\n2\n70\n0\n"
    "10\n-100\n20\n0\n42\n1.0\n10\n100\n20\n0\n"
)
STRAIGHT = (
    f"0\nLWPOLYLINE\n{LAYER}100\nAcDbPolyline\n90\n42\n70\n0\n10\n0\n20\n42\n42\n0.0\n"
    "10\n2\n20\n0\n"
)
OLD = (
    "0\nPOLYLINE\n8\n0\n66\n1\n70\n0\n0\nVERTEX\n8\n0\n10\n-100\n20\n0\n42\n1\n"
    "0\nVERTEX\n8\n0\n10\n100\n20\n0\n0\nSEQEND\n"
)
SPLINE = (
    f"0\nSPLINE\n{LAYER}100\nAcDbSpline\n70\n8\n71\n3\n72\n8\n73\n4\n74\n0\n"
    + "".join(f"40\n{k}\n" for k in (0, 0, 0, 0, 1, 1, 1, 1))
    + "".join(f"10\n{x}\n20\n{y}\n30\n0\n" for x, y in ((0, 0), (1, 1), (2, 1), (3, 0)))
)
UNBOUND = (
    "1 entities (SPLINE) are read as straight lines between positions on them, "
    "at a distance that GDAL does not bound"
)
ARCS = "nowhere farther than 1/10000 of an arc's radius from it"


def dxf(path: Path, *entities: str, end: str = "\n") -> Path:
    text = "0\nSECTION\n2\nENTITIES\n" + "".join(entities) + "0\nENDSEC\n0\nEOF\n"
    path.write_bytes(text.replace("\n", end).encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("entities", "notes"),
    [
        ([STRAIGHT], []),
        ([ARC], [f"1 curved entities (ARC) are read as straight lines: {ARCS}"]),
        ([BENT, STRAIGHT], [f"1 curved entities (LWPOLYLINE) are read as straight lines: {ARCS}"]),
        ([OLD, ARC, STRAIGHT],
         [f"2 curved entities (ARC, POLYLINE) are read as straight lines: {ARCS}"]),
        ([CIRCLE, ELLIPSE, CIRCLE],
         [f"3 curved entities (CIRCLE, ELLIPSE) are read as straight lines: {ARCS}"]),
        ([SPLINE], [UNBOUND]),
    ],
)  # fmt: skip
def test_curved_entities_of_a_drawing(
    entities: list[str], notes: list[str], end: str, tmp_path: Path
) -> None:
    assert list(drawn_arcs.in_dxf(dxf(tmp_path / "a.dxf", *entities, end=end))) == notes


def test_an_empty_drawing(tmp_path: Path) -> None:
    for name in ("a.dxf", "a.mif"):
        (tmp_path / name).write_bytes(b"")
    assert list(drawn_arcs.in_dxf(tmp_path / "a.dxf")) == []
    assert list(drawn_arcs.in_mif(tmp_path / "a.mif")) == []


def test_the_chords_of_a_drawing_keep_what_is_said(tmp_path: Path) -> None:
    path = dxf(tmp_path / "a.dxf", ARC, CIRCLE, BENT, OLD)
    profile, table = staged_vector(path, tmp_path / "s")
    assert profile.error is None
    assert any("4 curved entities" in n for n in profile.notes)
    for shape in geometries(profile, table):
        line = shapely.get_coordinates(shape)
        np.testing.assert_allclose(np.hypot(*line.T), 100, rtol=1e-9)
        middles = (line[1:] + line[:-1]) / 2
        assert (100 - np.hypot(*middles.T)).max() <= 100 * 1e-4


def test_the_chords_of_a_mapinfo_file_keep_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mif").write_text(
        'Version 300\nCharset "Neutral"\nDelimiter ","\n'
        'CoordSys Earth Projection 8, 104, "m", 15, 0, 0.9996, 500000, 0\n'
        "Columns 1\n  a Integer\nData\n\nArc 0 0 200 200\n0 90\nEllipse 0 0 200 200\n"
        "Pline 2\n0 0\n1 1\nRoundrect 0 0 10 10 2\n"
    )
    (tmp_path / "a.mid").write_text("1\n2\n3\n4\n")
    profile, table = staged_vector(tmp_path / "a.mif", tmp_path / "s")
    (note,) = [n for n in profile.notes if "straight lines" in n]
    assert note == (
        "3 objects (ARC, ELLIPSE, ROUNDRECT) are read as straight lines: "
        "nowhere farther than 0.00016 of an arc's radius from it"
    )
    for shape in geometries(profile, table)[:2]:
        line = shapely.get_coordinates(shape) - 100
        middles = (line[1:] + line[:-1]) / 2
        assert np.abs(100 - np.hypot(*middles.T)).max() <= 100 * 1.6e-4


def table(folder: Path) -> Path:
    """A MapInfo table of a line, a null geometry, a polygon and a point."""
    shapes = [shapely.LineString([(0, 0), (1, 1), (2, 0)]), None,
              shapely.Point(9, 9).buffer(1), shapely.Point(5, 5)]  # fmt: skip
    wkb = np.array([None if s is None else shapely.to_wkb(s) for s in shapes], dtype=object)
    pyogrio.raw.write(
        str(folder / "a.tab"), geometry=wkb, geometry_type="Unknown", crs="EPSG:32633",
        field_data=[np.arange(4)], fields=["a"], driver="MapInfo File",
    )  # fmt: skip
    return folder / "a.tab"


def test_a_mapinfo_table_without_arcs(tmp_path: Path) -> None:
    path = table(tmp_path)
    places = np.fromfile(tmp_path / "a.id", "<u4")
    kinds = np.fromfile(tmp_path / "a.map", np.uint8)
    # A polyline, nothing, a region and a symbol, short or long: what MITAB's description says.
    said = [{0x07, 0x08}, {0}, {0x0D, 0x0E}, {0x01, 0x02}]
    assert all((int(kinds[p]) if p else 0) in s for p, s in zip(places, said, strict=True))
    assert list(drawn_arcs.in_tab(path)) == []
    profile, _ = staged_vector(path, tmp_path / "s")
    assert not [n for n in profile.notes if "straight lines" in n]


@pytest.mark.parametrize(("kind", "name"), [(0x0A, "ARC"), (0x1A, "ELLIPSE"), (0x17, "ROUNDRECT")])
def test_arcs_of_a_mapinfo_table(kind: int, name: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    places = np.fromfile(tmp_path / "a.id", "<u4")
    kinds = np.fromfile(tmp_path / "a.map", np.uint8)
    kinds[places[[0, 2]]] = kind
    kinds.tofile(tmp_path / "a.map")
    (note,) = drawn_arcs.in_tab(path)
    assert note.startswith(f"2 objects ({name}) are read as straight lines: nowhere farther than")


def test_a_table_without_a_map(tmp_path: Path) -> None:
    path = table(tmp_path)
    (tmp_path / "a.map").write_bytes(b"")
    assert list(drawn_arcs.in_tab(path)) == []
    (tmp_path / "a.map").unlink()
    assert list(drawn_arcs.in_tab(path)) == []

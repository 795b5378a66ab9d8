"""CSV: delimiters, names, and columns of the geometry."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_layout import GeometryColumns, layout_of, place_of


@pytest.mark.parametrize(
    ("text", "delimiter", "names"),
    [
        ("a,b\n", ",", ("a", "b")),
        ("a;b,c;d\n", ";", ("a", "b,c", "d")),
        ("a;b,c\n", ",", ("a;b", "c")),
        ('"a;b;c",d\n', ",", ("a;b;c", "d")),
        ("a\tb,c,d\n1\t2\n", "\t", ("a", "b,c,d")),
        ("a|b\n", "|", ("a", "b")),
        ("a b\n", " ", ("a", "b")),
        ("a\n", ",", ("a",)),
        ("SEP=|\na,b|c\n", "|", ("a,b", "c")),
        ("\n\na,b\n", ",", ("a", "b")),
        (" a , ,a\n", ",", ("a", "field_2", "a_1")),
        ("", ",", ()),
    ],
)
def test_delimiter_and_names(
    tmp_path: Path, text: str, delimiter: str, names: tuple[str, ...]
) -> None:
    (tmp_path / "a.csv").write_text(text)
    found = layout_of(tmp_path / "a.csv", "utf-8", 0, [])
    assert (chr(found.delimiter), found.names, found.header) == (delimiter, names, True)


def test_a_tsv_file_has_tabs(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a,b,c\td\n1\t2\t3\n")
    assert layout_of(tmp_path / "a.tsv", "utf-8", 0, []).names == ("a,b,c", "d")


@pytest.mark.parametrize(("first", "header"), [("1,b", False), ('"1",b', True), ("1e5,b", False)])
def test_numbers_are_no_names(tmp_path: Path, first: str, header: bool) -> None:
    (tmp_path / "a.csv").write_text(first + "\n")
    notes: list[str] = []
    assert layout_of(tmp_path / "a.csv", "utf-8", 0, notes).header is header
    assert bool(notes) is not header


def test_tables_of_geonames(tmp_path: Path) -> None:
    row = ["1", 'N "x', "", "", "10.5", "20.5", *"P"] + [""] * 12
    (tmp_path / "a.txt").write_text("\t".join(row) + "\n")
    found = layout_of(tmp_path / "a.txt", "utf-8", 0, [])
    assert found.names[4:6] == ("LATITUDE", "LONGITUDE")
    assert found.types[4:6] == ("Real", "Real")


def test_names_with_nul(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,b\n".encode("utf-16-le"))
    with pytest.raises(SourceError, match=r"the name of column 1, 'a.*', holds the character NUL"):
        layout_of(tmp_path / "a.csv", "utf-8", 0, [])


@pytest.mark.parametrize(
    ("names", "roles", "place"),
    [
        (["id", "WKT"], {}, GeometryColumns("geometry", text=1, staged=False)),
        (["id", "geom"], {}, GeometryColumns("geom_1", text=1, staged=False)),
        (["x", "y", "wkt"], {}, GeometryColumns("geometry", text=2, staged=False)),
        (["id", "wkt"], {"wkt": 1}, GeometryColumns("geom_wkt", text=1, staged=False)),
        (["id", "g"], {"wkt": 1}, GeometryColumns("geom_g", text=1)),
        (
            ["_WKTg_EPSG_25832"],
            {},
            GeometryColumns("geom__WKTg_EPSG_25832", text=0, crs="EPSG:25832"),
        ),
        (["a", "b", "c"], {"x": 2, "y": 0}, GeometryColumns("geometry", axes=(2, 0))),
        (["a", "b", "c"], {"x": 0, "y": 1, "z": 2}, GeometryColumns("geometry", axes=(0, 1, 2))),
        (["Y", "lat", "lon", "X", "geometry_1"], {}, GeometryColumns("geometry", axes=(3, 0))),
        (["easting", "latitude"], {}, None),
    ],
)
def test_places(names: list[str], roles: dict[str, int], place: GeometryColumns | None) -> None:
    assert place_of(names, roles) == place

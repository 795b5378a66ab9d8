"""Encodings of dBase tables: contract, .cpg file, language driver."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.dbase_encoding import DRIVERS, encoding_of, page_named
from spatial_pipeline_tests.ingest.shapefiles import table_of
from spatial_pipeline_tests.ingest.sources import staged_vector


@pytest.mark.parametrize(
    ("stated", "codec"),
    [
        ("UTF-8", "utf-8"), ("utf8", "utf-8"), ("65001", "utf-8"), ("1252", "cp1252"),
        ("ANSI 1252", "cp1252"), ("windows-1250", "cp1250"), ("OEM 850", "cp850"),
        ("CP866", "cp866"),
        ("ISO-8859-1", "iso8859-1"), ("88591", "iso8859-1"), ("8859-15", "iso8859-15"),
        ("ISO 8859-2", "iso8859-2"), ("936", "gbk"), ("Big5", "big5"), ("UTF-9", None),
        ("UTF-16", None), ("utf-7", None), ("hex", None), ("12 52", None), ("ISO\xa088591", None),
    ],
)  # fmt: skip
def test_spellings_of_cpg_files(stated: str, codec: str | None) -> None:
    assert page_named(stated) == codec


def test_drivers_are_encodings_that_extend_ascii() -> None:
    for page in DRIVERS.values():
        assert bytes(range(128)).decode(codecs.lookup(page).name) == bytes(range(128)).decode()


def staged(
    folder: Path, cell: bytes, language: int, cpg: str | None, **source: str
) -> tuple[object, str, list[str]]:
    path = folder / "t.dbf"
    path.write_bytes(table_of([("a", "C", 9, 0)], [[cell], [b"x"]], language))
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    profile, table = staged_vector(path, folder / "s", **source)
    assert profile.error is None
    return table["a"][0].as_py(), " ".join(profile.notes), [d.reason for d in profile.defects]


def test_the_cpg_file_counts_and_a_contradiction_is_said(tmp_path: Path) -> None:
    value, notes, defects = staged(tmp_path, "Öl".encode("cp850"), 3, "850")
    assert (value, defects) == ("Öl", [])
    assert notes == (
        "the .cpg file says cp850, the language driver 3 of the .dbf file says cp1252: "
        "texts are read as cp850"
    )


def test_the_language_driver_counts_without_a_cpg_file(tmp_path: Path) -> None:
    assert staged(tmp_path, "Öl".encode("cp850"), 2, None) == ("Öl", "", [])


def test_ansi_is_a_guess_that_is_said(tmp_path: Path) -> None:
    value, notes, _ = staged(tmp_path, "5 €".encode("cp1252"), 87, None)
    assert value == "5 €"
    assert "texts are read as cp1252" in notes


def test_without_a_word_it_is_utf8_or_named(tmp_path: Path) -> None:
    value, notes, defects = staged(tmp_path, "Öl".encode(), 0, None)
    assert (value, defects) == ("Öl", [])
    assert "texts are read as UTF-8" in notes
    other = tmp_path / "other"
    other.mkdir()
    value, _, (reason,) = staged(other, b"\xd6l", 0, None)
    assert value is None
    assert "set source: {encoding: …}" in reason


def test_the_contract_settles_it(tmp_path: Path) -> None:
    assert staged(tmp_path, b"\xd6l", 0, "UTF-8", encoding="cp1252") == ("Öl", "", [])


def test_an_unknown_cpg_file_decides_nothing_but_ascii(tmp_path: Path) -> None:
    value, notes, (reason,) = staged(tmp_path, "Öl".encode(), 87, "UTF-9")
    assert value is None
    assert "unknown encoding 'UTF-9'" in notes
    assert "the .cpg file names no encoding" in reason


@pytest.mark.parametrize(
    ("cell", "cpg", "value"),
    [(b"\x81\x40", "1252", None), (b"\x81\x40", "932", "\u3000"), (b"\x81", "932", None),
     (b"\x81A\x90", "1250", None), (b"\xc3", "UTF-8", None), (b"\xed\xa0\x80", "UTF-8", None)],
)  # fmt: skip
def test_bytes_that_do_not_fit_are_named(
    tmp_path: Path, cell: bytes, cpg: str, value: str | None
) -> None:
    found, _, reasons = staged(tmp_path, cell, 0, cpg)
    assert found == value
    assert [r.startswith("has bytes that are not") for r in reasons] == [True] * (value is None)


def test_encodings_that_are_no_superset_of_ascii_are_refused() -> None:
    with pytest.raises(SourceError, match="utf-16 is not an encoding of the texts of a table"):
        encoding_of("utf-16", None, 0, [])


CODECS = ("cp1252", "cp850", "iso8859-5", "mac_roman", "gbk", "cp932", "utf-8")


@pytest.mark.parametrize("codec", CODECS)
def test_all_characters_of_an_encoding(tmp_path: Path, codec: str) -> None:
    letters = [chr(c) for c in range(0xA0, 0x500)]
    known = [c for c in letters if c.encode(codec, "ignore").decode(codec, "ignore") == c]
    path = tmp_path / "t.dbf"
    path.write_bytes(table_of([("a", "C", 9, 0)], [[f"a{c}b{c}".encode(codec)] for c in known]))
    profile, table = staged_vector(path, tmp_path / "s", encoding=codec)
    assert profile.defect_count == 0
    assert table["a"].to_pylist() == [f"a{c}b{c}" for c in known]

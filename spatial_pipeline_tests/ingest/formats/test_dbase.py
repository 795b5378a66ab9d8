"""dBase tables: every cell as the file holds it, or named."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.ingest.formats import dbase, dbase_values
from spatial_pipeline_tests.ingest.shapefiles import table_of
from spatial_pipeline_tests.ingest.sources import staged_vector


def save(folder: Path, letter: str, width: int, decimals: int, *cells: bytes) -> Path:
    """A table of one column ``a``."""
    path = folder / "t.dbf"
    path.write_bytes(table_of([("a", letter, width, decimals)], [[c] for c in cells]))
    return path


def read(path: Path, folder: Path, **source: Any) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """Staged values of column ``a``, and the defects."""
    profile, table = staged_vector(path, folder / "s", **source)
    assert profile.error is None
    defects = [(d.row, d.text, d.reason) for d in profile.defects]
    assert {d.column for d in profile.defects} <= {"a"}
    return table["a"].to_pylist(), defects


@pytest.mark.parametrize(
    ("letter", "width", "decimals", "cell", "value"),
    [
        ("N", 6, 0, b"", None), ("N", 6, 0, b"******", None), ("N", 6, 0, b"\0" * 6, None),
        ("N", 6, 0, b"+12", 12), ("N", 6, 0, b"1.0", 1), ("N", 6, 0, b"12\0\0", 12),
        ("N", 18, 0, b"9" * 18, 10**18 - 1), ("N", 19, 0, b"9007199254740993", 2**53 + 1),
        ("N", 20, 0, str(-(2**63)).encode(), -(2**63)), ("N", 20, 0, b"9223372036854775808",
                                                          "9223372036854775808"),
        ("N", 8, 2, b"-1.25", -1.25), ("F", 13, 11, b"1.5e+3", 1500.0), ("F", 10, 0, b"12.5", 12.5),
        ("N", 19, 11, b"97696644.11361000000", 97696644.11361),
        ("N", 30, 10, b"123456789012345678.0000000001", "123456789012345678.0000000001"),
        ("D", 8, 0, b"", None), ("D", 8, 0, b"00000000", None), ("D", 8, 0, b"\0" * 8, None),
        ("D", 8, 0, b"20240229", dt.date(2024, 2, 29)), ("D", 8, 0, b"00010101", dt.date(1, 1, 1)),
        ("L", 1, 0, b"T", True), ("L", 1, 0, b"n", False), ("L", 1, 0, b"?", None),
        ("L", 1, 0, b"", None), ("C", 6, 0, b" lead", " lead"), ("C", 6, 0, b"", None),
        ("C", 6, 0, b"ab\0\0", "ab"), ("C", 4, 0, b"****", "****"), ("M", 10, 0, b"", None),
    ],
)  # fmt: skip
def test_a_cell_is_kept(
    tmp_path: Path, letter: str, width: int, decimals: int, cell: bytes, value: object
) -> None:
    assert read(save(tmp_path, letter, width, decimals, cell), tmp_path) == ([value], [])


@pytest.mark.parametrize(
    ("letter", "width", "decimals", "cell", "reason"),
    [
        ("N", 6, 0, b"1.7", "is not a whole number"), ("N", 6, 0, b"abc", "is not a whole number"),
        ("N", 6, 0, b"0x1F", "is not a whole number"), ("N", 6, 0, b"***", "is not a whole number"),
        ("N", 6, 0, b"1e3", "is not a whole number"), ("N", 6, 0, b"\xb2", "is not a whole number"),
        ("N", 20, 0, b"1 2", "is not a whole number"), ("N", 8, 2, b"12,50", "is not a number"),
        ("N", 8, 2, b"nan", "is not a number"), ("F", 8, 2, b"inf", "is not a number"),
        ("F", 8, 2, b"1e999", "is too large for a number"), ("F", 24, 15, b"-", "is not a number"),
        ("D", 8, 0, b"20200230", "is not a date"), ("D", 8, 0, b"00000101", "is not a date"),
        ("D", 8, 0, b"2020-1-1", "is not a date"), ("D", 10, 0, b"2020-01-01", "is not a date"),
        ("L", 1, 0, b"1", "is not a truth value"), ("C", 6, 0, b"a\0b", "holds NUL"),
        ("C", 6, 0, b"\xfc", "neither a .cpg file nor a language driver"),
        ("M", 10, 0, b"1", "memo file"),
    ],
)  # fmt: skip
def test_a_cell_that_is_no_value_is_named(
    tmp_path: Path, letter: str, width: int, decimals: int, cell: bytes, reason: str
) -> None:
    path = save(tmp_path, letter, width, decimals, b"", cell)
    values, (defect,) = read(path, tmp_path)
    assert values == [None, None]
    assert defect[0] == 1
    assert reason in defect[2]


def test_deleted_records_are_counted_and_rows_are_those_that_are_left(tmp_path: Path) -> None:
    path = tmp_path / "t.dbf"
    rows = [[b"1"], [b"x"], [b"3"], [b"y"]]
    path.write_bytes(table_of([("a", "N", 4, 0)], rows, deleted=[0, 1]))
    profile, table = staged_vector(path, tmp_path / "s")
    assert table["a"].to_pylist() == [3, None]
    assert [(d.row, d.text) for d in profile.defects] == [(1, "y")]
    assert "2 records are marked as deleted and left out" in profile.notes
    assert profile.declared_count == 2


def test_an_unknown_deletion_mark_is_said(tmp_path: Path) -> None:
    path = save(tmp_path, "N", 4, 0, b"1", b"2")
    data = bytearray(path.read_bytes())
    data[-11] = 0
    path.write_bytes(data)
    profile, table = staged_vector(path, tmp_path / "s")
    assert table["a"].to_pylist() == [1, 2]
    assert profile.notes == ("1 records have an unknown deletion mark and are kept",)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (4, b"\x05", "declares 5 records and holds 3"),
        (4, b"\x02", "declares 2 records and has the bytes of 3"),
        (10, b"\x08", "declares records of 8 bytes, its fields take 7"),
        (43, b"I", "field 'a' of the .dbf file has the type 'I', which is not read"),
        (64, b" ", "have no end mark"),
        (32, b"\xfc", "the name of the field '\\xfc'"),
    ],
)
def test_a_header_that_is_damaged(tmp_path: Path, at: int, value: bytes, message: str) -> None:
    path = save(tmp_path, "N", 6, 0, b"1", b"2", b"3")
    data = bytearray(path.read_bytes())
    data[at : at + 1] = value
    path.write_bytes(data)
    profile, _ = staged_vector(path, tmp_path / "s")
    assert message in str(profile.error)


def test_names_are_told_apart_and_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "t.dbf"
    fields = [(name, "C", 2, 0) for name in ("a", "a", "", b"gr\xc3\xb6\xc3\x9fe")]
    path.write_bytes(table_of(fields, [[b"1", b"2", b"3", b"4"]]))
    _, table = staged_vector(path, tmp_path / "s")
    names = [n for n in table.column_names if not n.startswith(("__", "bbox"))]
    assert names == ["a", "a_1", "field_3", "größe"]


def test_the_only_layer_is_called_as_the_file(tmp_path: Path) -> None:
    path = save(tmp_path, "N", 4, 0, b"1")
    assert read(path, tmp_path, layer="t")[0] == [1]
    profile, _ = staged_vector(path, tmp_path / "u", layer="x")
    assert "no layer 'x' in it; there is t" in str(profile.error)


CELLS = st.binary(max_size=12) | st.from_regex(rb"[0-9+\-.eE *]{0,12}", fullmatch=True)


@given(st.lists(CELLS, min_size=1, max_size=30), st.sampled_from([0, 4]))
@settings(deadline=None, max_examples=200)
def test_numbers_are_those_of_the_cells(cells: list[bytes], decimals: int) -> None:
    padded = b"".join(c.rjust(12) for c in cells)
    block = np.frombuffer(padded, np.uint8).reshape(-1, 12)
    if decimals:
        _, found, _ = dbase_values.reals(block, decimals)
    else:
        _, found = dbase_values.whole_numbers(block)
    wrong = {int(r) for rows in found.wrong.values() for r in rows}
    for row, (cell, value) in enumerate(zip(cells, found.array.to_pylist(), strict=True)):
        text = cell.rjust(12).strip(b" \0").decode("latin-1")
        if text in {"", "*" * 12}:
            assert value is None
            assert row not in wrong
        elif row in wrong:
            assert value is None
            with pytest.raises(ValueError, match="not a number"):
                slow_number(text, decimals)
        else:
            assert value == slow_number(text, decimals)


def slow_number(text: str, decimals: int) -> float:
    """A number, read by Python.

    Raises:
        ValueError: it is no number.

    """
    try:
        if "_" in text or not text.isascii() or text != text.strip():
            raise ValueError
        value = Decimal(text)
        if not value.is_finite() or float(value) in {float("inf"), float("-inf")}:
            raise ValueError
        if not decimals and ("e" in text.lower() or value != int(value) or text[:1] == "."
                             or (text[1:2] == "." and text[0] in "+-")):  # fmt: skip
            raise ValueError
    except (ArithmeticError, ValueError) as exc:
        msg = f"{text!r} is not a number"
        raise ValueError(msg) from exc
    return float(value) if decimals else int(value)


def test_batches_and_chunks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.dbf"
    rows = [[str(i).encode(), b"x" if i % 7 == 0 else b"1.5"] for i in range(100)]
    fields = [("a", "N", 20, 0), ("b", "N", 24, 15)]
    path.write_bytes(table_of(fields, rows, deleted=range(0, 100, 3)))
    first, table = staged_vector(path, tmp_path / "s")
    monkeypatch.setattr(dbase, "BATCH_ROWS", 7)
    monkeypatch.setattr(dbase, "CHUNK", 100)
    second, again = staged_vector(path, tmp_path / "t")
    assert table.equals(again)
    assert first.defects == second.defects
    assert first.defect_count == 10

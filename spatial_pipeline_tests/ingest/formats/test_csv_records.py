"""CSV: records and fields."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats import csv_records
from spatial_pipeline.ingest.formats.csv_records import Records


def read(text: str | bytes, columns: int, delimiter: str = ",") -> list[list[str]]:
    """All records of whole length."""
    data = text.encode() if isinstance(text, str) else text
    rows: list[list[str]] = []
    for block in Records(io.BytesIO(data), ord(delimiter)).blocks(columns, 0):
        assert block.first == len(rows)
        values = [[v.decode() for v in block.values(i).to_pylist()] for i in range(columns)]
        rows += [list(row) for row in zip(*values, strict=True)]
    return rows


FIELDS = st.text(st.sampled_from('a",;\n\r é'), max_size=5)


@given(st.data(), st.sampled_from([1, 7, 64, 1 << 20]))
@settings(deadline=None, max_examples=150)
def test_what_a_writer_wrote_is_read(data: Any, block: int) -> None:
    columns = data.draw(st.integers(2, 4))
    table = data.draw(st.lists(st.lists(FIELDS, min_size=columns, max_size=columns), max_size=6))
    text = io.StringIO()
    # Without quotes, Python writes a carriage return that is no part of the line end as it is.
    end, style = data.draw(st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]))
    csv.writer(text, lineterminator=end, quoting=style).writerows(table)
    before, csv_records.BLOCK = csv_records.BLOCK, block
    try:
        assert read(text.getvalue(), columns) == table
    finally:
        csv_records.BLOCK = before


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('1,5" x 3"\n', [["1", '5" x 3"']]),
        ('a""b,c\n', [['a""b', "c"]]),
        ('"""",""\n', [['"', ""]]),
        ('a, "b"\n', [["a", ' "b"']]),
        ('x"y,"p"",q"\nz,w', [['x"y', 'p",q'], ["z", "w"]]),
        ("1,2\r\r\n3,4\r\n", [["1", "2"], ["3", "4"]]),
        ("1,2\r3,4\r", [["1", "2"], ["3", "4"]]),
        ("1,2\r3,4", [["1", "2"], ["3", "4"]]),
        ("\n1,2\n\n\r\n3,4", [["1", "2"], ["3", "4"]]),
        ("", []),
        ("\r\n", []),
        ("1,\0\n", [["1", "\0"]]),
    ],
)
def test_fields(text: str, rows: list[list[str]]) -> None:
    assert read(text, 2) == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,"x', "a quoted field is not closed (RFC 4180), line 2: '\"x\\n'"),
        ('a,b\n"x"y,1\n', "text follows the quote that closes a field (RFC 4180), line 2: '\"y,1"),
        ('a,b\n"x\n\n"y,1\n', "line 4: '\"y,1"),
        ('"a\\"b",1\n', "text follows the quote"),
        ("a,b\n1,2\r3,4\n", "a carriage return without a line feed in or behind line 2"),
        ("a,b\n1,2\n3", "the last record has 1 of 2 fields, the text was cut"),
    ],
)
def test_damage(text: str, message: str) -> None:
    with pytest.raises(SourceError) as raised:
        read(text, 2)
    assert message in str(raised.value)


def test_records_of_another_length() -> None:
    (block,) = Records(io.BytesIO(b'1,2\n3\n4,5,6\n7,8,,\n9,0,""\n'), ord(",")).blocks(2, 0)
    assert [(r.row, r.fields, r.text) for r in block.ragged] == [
        (1, 1, "3"), (2, 3, "4,5,6"), (4, 3, '9,0,""'),
    ]  # fmt: skip
    assert block.surplus == 1
    assert block.values(1).to_pylist() == [b"2", b"", b"", b"8", b""]


def test_an_unclosed_quote_is_found_without_reading_on_for_ever(monkeypatch: Any) -> None:
    monkeypatch.setattr(csv_records, "BLOCK", 64)
    monkeypatch.setattr(csv_records, "MAX_RECORD", 1000)
    with pytest.raises(SourceError, match="the record in line 2 is longer than 0 MiB"):
        read('a,b\n1,"' + "x,y\n" * 1000, 2)


def test_lines_are_counted_over_blocks(monkeypatch: Any) -> None:
    monkeypatch.setattr(csv_records, "BLOCK", 16)
    with pytest.raises(SourceError, match="line 101"):
        read("1,2\n" * 100 + '"x"y,1\n', 2)

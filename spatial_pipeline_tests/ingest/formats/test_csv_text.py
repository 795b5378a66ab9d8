"""CSV: encodings."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_text import (
    encoding_of,
    opened_text,
    shown,
    undecodable,
    with_nul,
)


def text_of(path: Path, declared: str | None = None, count: int = 3) -> bytes:
    with opened_text(path, *encoding_of(path, declared)) as text:
        return b"".join(iter(lambda: text.read(count), b""))


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("utf-32", None),
        ("utf-16-be", "utf-16-be"), ("utf-16", "utf-16"), ("utf-8-sig", "utf-8"),
        ("utf-8-sig", "utf-8-sig"), ("cp1252", "cp1252"), ("shift_jis", "shift_jis"),
        ("cp500", "cp500"),
    ],
)  # fmt: skip
def test_every_encoding_becomes_utf8(tmp_path: Path, encoding: str, declared: str | None) -> None:
    text = "a,b\nÄ|x,1\n" if encoding != "shift_jis" else "a,b\nソ|表,1\n"
    (tmp_path / "a").write_bytes(text.encode(encoding))
    for count in (1, 3, 1000):
        assert text_of(tmp_path / "a", declared, count).decode() == text


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        (b"a\x81b", "cp1252", "a\\x81b"),
        (b"a\xfcb", "ascii", "a\\xfcb"),
        (b"a\xc3\xbcb", "ascii", "a\\xc3\\xbcb"),
        (b"a\0\0\xd8b\0", "utf-16-le", "a\\x00\\xd8b"),
        (b"a\0b", "utf-16-le", "a\\x62"),
        (b"a\xfcb", None, "a\\xfcb"),
    ],
)
def test_bytes_that_do_not_decode_stay_visible(
    tmp_path: Path, data: bytes, declared: str | None, expected: str
) -> None:
    (tmp_path / "a").write_bytes(data)
    found = text_of(tmp_path / "a", declared)
    assert undecodable(pa.array([b"x", found, None])).tolist() == [1]
    assert shown(found) == expected


def test_what_is_no_encoding_of_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(SourceError, match="hex is not an encoding of text"):
        encoding_of(tmp_path / "a", "hex")


def test_nul() -> None:
    assert with_nul(pa.array([b"a", b"a\0", None, b"\xff\0"], pa.binary())).tolist() == [1, 3]

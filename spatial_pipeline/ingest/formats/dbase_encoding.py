"""Encoding of the texts of a dBase table: of the contract, the .cpg file or the language driver.

Source: language driver ids of dBASE and FoxPro; ESRI's and GDAL's spellings in .cpg files.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from spatial_pipeline.errors import SourceError

UTF8 = "utf-8"
_ANSI = 87
"""Language driver that ESRI's programs write whatever the texts are; it names no code page."""
_PAGES: dict[str, tuple[int, ...]] = {
    "cp437": (1, 9, 11, 13, 15, 17, 21, 24, 25, 27), "cp737": (106, 134),
    "cp850": (2, 10, 14, 16, 18, 20, 22, 26, 29, 37, 55), "cp852": (31, 34, 35, 64, 100, 135),
    "cp857": (107, 136), "cp860": (36,), "cp861": (103,), "cp863": (28, 108),
    "cp865": (8, 23, 102), "cp866": (38, 101), "cp874": (80, 124), "cp932": (19, 123),
    "cp936": (77, 122), "cp949": (78, 121), "cp950": (79, 120), "cp1250": (200,),
    "cp1251": (201,), "cp1252": (3, _ANSI, 88, 89), "cp1253": (203,), "cp1254": (202,),
    "cp1257": (204,), "mac_roman": (4,), "mac_cyrillic": (150,), "mac_latin2": (151,),
    "mac_greek": (152,),
}  # fmt: skip
DRIVERS = {driver: page for page, drivers in _PAGES.items() for driver in drivers}
"""Python's name of the encoding of a language driver."""
_ASCII = bytes(range(128))


@dataclass(frozen=True)
class Encoding:
    """Encoding of the texts of a dBase file.

    Attributes:
        codec: Python's name; encodings that extend ASCII only.
        blame: message about bytes that do not decode, after the name of the encoding.
        note: note on texts with non-ASCII characters.

    """

    codec: str
    blame: str = ""
    note: str = ""


def encoding_of(
    declared: str | None, cpg: bytes | None, language: int, notes: list[str]
) -> Encoding:
    """The encoding of a table.

    Args:
        declared: encoding that the contract names, which wins.
        cpg: bytes of the .cpg file, which win over the language driver; None without one.
        language: language driver id of the header.
        notes: grows by what is odd.

    Raises:
        SourceError: the contract names an encoding that does not extend ASCII.

    """
    if declared is not None:
        codec = _codec(declared)
        if codec is None:
            msg = f"{declared} is not an encoding of the texts of a table"
            raise SourceError(msg)
        return Encoding(codec)
    driver = DRIVERS.get(language)
    if language and driver is None:
        notes.append(f"the language driver {language} of the .dbf file is unknown")
    stated = (cpg or b"").removeprefix(codecs.BOM_UTF8).strip(b"\0 \t\r\n").decode("latin-1")
    if not stated:
        return _by_driver(language, driver)
    codec = page_named(stated)
    if codec is None:
        notes.append(f"the .cpg file names an unknown encoding {stated[:40]!r}")
        return Encoding("ascii", "; the .cpg file names no encoding: set source: {encoding: …}")
    if driver is not None and driver != codec and not (language == _ANSI and _is_ansi(codec)):
        notes.append(
            f"the .cpg file says {codec}, the language driver {language} of the .dbf file says "
            f"{driver}: texts are read as {codec}"
        )
    return Encoding(codec)


def _by_driver(language: int, driver: str | None) -> Encoding:
    """The encoding where there is no .cpg file."""
    if driver is None:
        told = "neither a .cpg file nor a language driver says their encoding"
        return Encoding(
            UTF8, f"; {told}: set source: {{encoding: …}}", f"texts are read as UTF-8: {told}"
        )
    if language != _ANSI:
        return Encoding(driver)
    return Encoding(driver, "", f"texts are read as {driver}: the .dbf file says only that they are"
                    " ANSI, and there is no .cpg file")  # fmt: skip


def page_named(stated: str) -> str | None:
    """Python's name of an encoding as .cpg files spell it, None for an unknown one."""
    bare = re.sub(r"^(ansi|oem|windows|cp|ms)[ _-]*(?=[0-9])", "", stated.casefold())
    iso = re.fullmatch(r"(?:iso)?[ _-]*8859[ _-]*([0-9]{1,2})", bare)
    if iso:
        return _codec(f"iso8859-{iso[1]}")
    if bare.isascii() and bare.isdigit():
        return UTF8 if bare == "65001" else _codec(f"cp{bare}")
    return _codec(stated)


def _codec(name: str) -> str | None:
    """Python's name of an encoding of text that extends ASCII."""
    try:
        found = codecs.lookup(name)
        same = _ASCII.decode(found.name) == _ASCII.decode("ascii")
    except (LookupError, ValueError):
        return None
    return found.name if same else None


def _is_ansi(codec: str) -> bool:
    """True when a system with such a code page calls it ANSI."""
    return codec.startswith(("cp125", "iso8859")) or codec in {"cp874", "cp932", "gbk", "cp949"}

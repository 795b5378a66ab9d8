"""A raster as GDAL describes it in a VRT: exact numbers and texts as bytes.

rasterio gives nodata as a 64-bit float or none, and leaves out texts that are not UTF-8. The
description has both, and, written again with texts repaired, it stands for the raster itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import rasterio.shutil

_DESCRIBED, _REPAIRED, _OVERVIEW = ".described.vrt", ".repaired.vrt", ".overview.vrt"
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Bytes that XML cannot hold."""
_LATIN1 = b'<?xml version="1.0" encoding="ISO-8859-1"?>'


@dataclass(frozen=True)
class Description:
    """A raster as GDAL describes it.

    Attributes:
        root: the VRT; every character of its texts stands for one byte, see :func:`text`.
        folder: where it is relative to.

    """

    root: ET.Element
    folder: Path

    @property
    def bands(self) -> list[ET.Element]:
        """The elements of the bands, in order."""
        return self.root.findall("VRTRasterBand")

    def nodata(self) -> list[str | None]:
        """Nodata value of every band as GDAL understood it, with all digits."""
        return [band.findtext("NoDataValue") for band in self.bands]

    def misfits(self) -> list[tuple[str, bytes]]:
        """Texts that are not UTF-8: what they are, and their bytes."""
        found: list[tuple[str, bytes]] = []
        for number, part in enumerate([self.root, *self.bands]):
            where = f" of band {number}" if number else ""
            for name in ("Description", "UnitType"):
                found += _misfit(f"{name.casefold()}{where}", part.findtext(name))
            for item in part.findall("Metadata/MDI"):
                key = item.get("key", "")
                found += _misfit(f"name of a tag{where}", key)
                found += _misfit(f"tag {text(key, None)}{where}", item.text)
        return found

    def write(self, encoding: str | None, nodata: Sequence[str | None]) -> Path:
        """Writes a VRT that stands for the raster.

        Args:
            encoding: of texts that are not UTF-8; see :func:`text`.
            nodata: nodata value of every band, None for none.

        """
        for element in self.root.iter():
            element.attrib.update({k: text(v, encoding) for k, v in element.attrib.items()})
            if element.text:
                element.text = text(element.text, encoding)
        for band, value in zip(self.bands, nodata, strict=True):
            for element in band.findall("NoDataValue"):
                band.remove(element)
            if value is not None:
                element = ET.Element("NoDataValue")
                element.text = value
                band.insert(0, element)
        target = self.folder / _REPAIRED
        target.write_bytes(ET.tostring(self.root, encoding="utf-8"))
        return target


def described(dataset: Any, folder: Path) -> Description:
    """The description of an open dataset.

    Args:
        dataset: opened with rasterio; its tags of all domains are loaded.
        folder: writable, for a moment's file; a repaired description is written there too.

    """
    target = folder / _DESCRIBED
    try:
        rasterio.shutil.copy(dataset, target, driver="VRT", COPY_SRC_MDD="YES")
        return Description(parsed(target.read_bytes()), folder)
    finally:
        target.unlink(missing_ok=True)


def overview(path: str, number: int, folder: Path) -> str:
    """Writes a VRT that stands for an overview of a raster, and returns its path.

    Args:
        path: the raster, for GDAL.
        number: 1-based overview.
        folder: writable; the description stays there.

    Raises:
        RasterioError: there is no such overview.

    """
    target = folder / _OVERVIEW
    with rasterio.open(path, overview_level=number - 1) as dataset:
        rasterio.shutil.copy(dataset, target, driver="VRT")
    return str(target)


def parsed(data: bytes) -> ET.Element:
    """XML whose texts may be in any encoding; every character stands for one byte.

    Raises:
        xml.etree.ElementTree.ParseError: it is not well-formed.

    """
    body = re.sub(rb"^\s*<\?xml.*?\?>", b"", data.removeprefix(b"\xef\xbb\xbf"), flags=re.DOTALL)
    return ET.fromstring(_LATIN1 + _CONTROLS.sub(b"?", body))  # noqa: S314 (expat is bounded)


def text(value: str, encoding: str | None) -> str:
    r"""The text of bytes, one a character: UTF-8, else as stated, else escaped as ``\\xe4``."""
    data = value.encode("latin-1", "xmlcharrefreplace")
    for name in ("utf-8", encoding):
        try:
            return data.decode(name or "utf-8")
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "backslashreplace")


def _misfit(what: str, value: str | None) -> list[tuple[str, bytes]]:
    data = (value or "").encode("latin-1", "xmlcharrefreplace")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return [(what, data)]
    return []

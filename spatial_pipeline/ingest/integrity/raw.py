"""Bytes that the headers of uncompressed formats promise, compared with what their files have.

GDAL fills rows behind the end of such a file with zeros, for many of these formats without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_pipeline.errors import SourceError

_HEAD_BYTES = 1 << 16
HEADERS = {
    "BT": 256, "CTable2": 160, "DOQ1": 0, "ELAS": 1024, "GSBG": 56, "GTX": 40,
    "GenBin": 0, "ISCE": 0, "KRO": 20, "LAN": 128, "LCP": 7316,
    "NGSGEOID": 44, "PCRaster": 256, "ROI_PAC": 0, "RRASTER": 0, "RST": 0, "SAGA": 0,
    "SNODAS": 0, "SRTMHGT": 0,
}  # fmt: skip
"""Bytes before the pixels, by driver; 0 too where the header is as long as it likes."""


def verify(dataset: Any, files: Sequence[Path]) -> None:
    """Refuses a raster of an uncompressed format that is shorter than its header says.

    Args:
        dataset: opened with rasterio.
        files: all files of the source.

    Raises:
        SourceError: naming the bytes that are promised and those that are there.

    """
    present = [f for f in files if f.is_file()]
    if not present or dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION") is not None:
        return
    driver = dataset.driver
    if driver == "MFF":
        _bands_of_mff(dataset, present)
        return
    sized = _SIZED.get(driver)
    if sized is None and driver not in HEADERS:
        return
    needed = HEADERS[driver] + _pixel_bytes(dataset) if sized is None else sized(dataset, present)
    data = max(f.stat().st_size for f in present)
    if data < needed and not any(map(_packed, present)):
        msg = f"its header promises {needed} bytes of pixels, the file has {data}"
        raise SourceError(msg)


def _packed(file: Path) -> bool:
    """Whether a driver unpacks the whole file: ENVI reads gzip, SRTMHGT zip."""
    with file.open("rb") as opened:
        return opened.read(4).startswith((b"\x1f\x8b", b"PK\3\4"))


def _pixel_bytes(dataset: Any) -> int:
    """Bytes of all pixels; bands of less than eight bits are packed."""
    total = 0
    for band, dtype in enumerate(dataset.dtypes, 1):
        bits = 32 if dtype == "complex_int16" else 8 * int(np.dtype(dtype).itemsize)
        if bits == 8:
            bits = int(dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", "8"))
        total += (dataset.width * bits + 7) // 8 * dataset.height
    return total


def _stated(pattern: str, suffixes: Sequence[str]) -> Callable[[Any, Sequence[Path]], int]:
    """A format whose header states in words how many bytes stand before the pixels."""

    def sized(dataset: Any, files: Sequence[Path]) -> int:
        for file in files:
            if file.suffix.casefold() in suffixes:
                found = re.search(pattern, _head(file))
                return int(found[1]) + _pixel_bytes(dataset) if found else _pixel_bytes(dataset)
        return _pixel_bytes(dataset)

    return sized


def _isis2(dataset: Any, files: Sequence[Path]) -> int:
    """A label of records, then the cube, which starts at a record (from 1)."""
    label = _head(files[0])
    size = re.search(r"(?m)^\s*RECORD_BYTES\s*=\s*(\d+)", label)
    record = re.search(r"(?m)^\s*\^QUBE\s*=\s*(\d+)\s*$", label)
    before = (int(record[1]) - 1) * int(size[1]) if size and record else 0
    return max(before, 0) + _pixel_bytes(dataset)


def _paux(dataset: Any, files: Sequence[Path]) -> int:
    """Each channel says where its first pixel is and how far pixels and lines are apart."""
    needed = 0
    for file in files:
        if file.suffix.casefold() == ".aux":
            for kind, *numbers in re.findall(
                r"(?m)^ChanDefinition-\d+:\s*(\w+)\s+(\d+)\s+(\d+)\s+(\d+)", _head(file)
            ):
                start, pixel, line = map(int, numbers)
                size = {"8U": 1, "16U": 2, "16S": 2}.get(kind, 4)
                end = start + (dataset.height - 1) * line + (dataset.width - 1) * pixel + size
                needed = max(needed, end)
    return needed or _pixel_bytes(dataset)


def _bands_of_mff(dataset: Any, files: Sequence[Path]) -> None:
    """Bands of MFF are files of their own: ``.b00``, ``.r01`` and so on."""
    named = [f for f in files if re.fullmatch(r"\.[a-z]\d\d", f.suffix.casefold())]
    for file, dtype in zip(sorted(named, key=lambda f: f.suffix[2:]), dataset.dtypes, strict=False):
        size = 4 if dtype == "complex_int16" else int(np.dtype(dtype).itemsize)
        needed, data = dataset.width * dataset.height * size, file.stat().st_size
        if data < needed:
            msg = f"its header promises {needed} bytes of pixels, {file.name} has {data}"
            raise SourceError(msg)


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_HEAD_BYTES).decode("latin-1")


_SIZED: dict[str, Callable[[Any, Sequence[Path]], int]] = {
    "EHdr": _stated(r"(?im)^\s*skipbytes\s+(\d+)", [".hdr"]),
    "ENVI": _stated(r"(?im)^\s*header offset\s*=\s*(\d+)", [".hdr"]),
    "ERS": _stated(r"(?im)^\s*HeaderOffset\s*=\s*(\d+)", [".ers"]),
    "ISIS2": _isis2,
    "PAux": _paux,
}
"""Formats whose headers say more than their drivers' names."""

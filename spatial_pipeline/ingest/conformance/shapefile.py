"""Shapefile: headers, sidecars and records, by the names of their fields.

Source: ESRI Shapefile Technical Description (1998); .prj and .cpg are later customs, and
recommendations here.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity.shapefile import HEADER_BYTES, NULL_SHAPE, TYPES

STANDARD = "ESRI Shapefile"
REQUIREMENTS = {
    STANDARD: ("file code", "file length", "version", "shape type", "bounding box", "shx", "dbf",
               "record number", "prj", "cpg"),
}  # fmt: skip
RECOMMENDED = frozenset({"prj", "cpg"})
_FILE_CODE, _VERSION = 9994, 1000
_DBF_HEAD = 12
_BYTE = 8
_KINDS = frozenset(TYPES)


def judge(files: tuple[Path, ...]) -> Judge:
    """The findings about the files of a Shapefile, the .shp file first."""
    found = Judge("Shapefile", REQUIREMENTS, RECOMMENDED)
    by_suffix = {f.suffix.casefold(): f for f in reversed(files)}
    shp = files[0]
    header = _header(found, shp)
    for suffix, code, what in (
        (".shx", "shx", "the index"),
        (".dbf", "dbf", "the attributes"),
        (".prj", "prj", "the reference system"),
        (".cpg", "cpg", "the encoding of texts"),
    ):
        found.expect(code, suffix in by_suffix, f"there is no {suffix} file with {what}")
    if header is None:
        return found
    if ".shx" in by_suffix:
        index = _header(found, by_suffix[".shx"], "shx")
        if index is not None:
            told = "the header of the .shx file differs from that of the .shp file"
            found.expect("shx", index[28:] == header[28:], told)
            _records(found, shp, by_suffix)
    return found


def compare(found: Judge, file: Path, extent: Bounds | None) -> None:
    """Compares the box of the header with the extent of the features."""
    with file.open("rb") as opened:
        header = opened.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES or extent is None:
        return
    box = struct.unpack("<4d", header[36:68])
    shown = ", ".join(f"{v:.10g}" for v in box)
    told = f"the header declares [{shown}], the features extend over {list(extent)}"
    same = all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(box, extent, strict=True)
    )
    found.expect("bounding box", same, told)


def _header(found: Judge, file: Path, code: str | None = None) -> bytes | None:
    """The header of a .shp or .shx file; findings of the latter have one code."""
    with file.open("rb") as opened:
        header = opened.read(HEADER_BYTES)
    name = file.suffix
    if not found.expect(
        code or "file code",
        len(header) == HEADER_BYTES and struct.unpack(">i", header[:4])[0] == _FILE_CODE,
        f"the {name} file does not begin with {_FILE_CODE}",
    ):
        return None
    length, size = 2 * struct.unpack(">i", header[24:28])[0], file.stat().st_size
    told = f"the {name} file declares {length} bytes and has {size}"
    found.expect(code or "file length", length == size, told)
    version, kind = struct.unpack("<2i", header[28:36])
    told = f"the {name} file has the version {version}, not {_VERSION}"
    found.expect(code or "version", version == _VERSION, told)
    told = f"the {name} file has the unknown shape type {kind}"
    found.expect(code or "shape type", kind in _KINDS, told)
    return header


def _records(found: Judge, shp: Path, files: dict[str, Path]) -> None:
    """Compares number, length and type of each record with index and header."""
    raw = files[".shx"].read_bytes()[HEADER_BYTES:]
    entries = np.frombuffer(raw[: len(raw) // _BYTE * _BYTE], ">i4").astype(np.int64)
    starts, lengths = 2 * entries[0::2], 2 * entries[1::2]
    data = np.memmap(shp, np.uint8, "r")
    inside = (starts >= HEADER_BYTES) & (lengths >= 4) & (starts + _BYTE + lengths <= len(data))
    told = f"{int((~inside).sum())} entries of the .shx file point outside of the .shp file"
    found.expect("shx", bool(inside.all()), told)
    at = starts[inside]
    heads = data[at[:, None] + np.arange(12)] if len(at) else np.empty((0, 12), np.uint8)
    numbers = heads[:, :4].copy().view(">i4")[:, 0]
    sizes = 2 * heads[:, 4:8].copy().view(">i4")[:, 0].astype(np.int64)
    kinds = heads[:, 8:].copy().view("<i4")[:, 0]
    (declared,) = struct.unpack("<i", data[32:36].tobytes())
    told = "the records are not numbered 1, 2, 3 …"
    found.expect("record number", bool((numbers == np.flatnonzero(inside) + 1).all()), told)
    wrong = int(np.count_nonzero(sizes != lengths[inside]))
    found.expect("shx", not wrong, f"{wrong} records have another length than the .shx file says")
    wrong = int(np.count_nonzero((kinds != declared) & (kinds != NULL_SHAPE)))
    told = f"{wrong} records have another shape type than the header, {declared}"
    found.expect("shape type", not wrong, told)
    if ".dbf" in files:
        with files[".dbf"].open("rb") as opened:
            head = opened.read(_DBF_HEAD)
        rows = struct.unpack("<I", head[4:8])[0] if len(head) == _DBF_HEAD else None
        told = f"the .dbf file has {rows} records, the .shx file {len(starts)}"
        found.expect("dbf", rows == len(starts), told)

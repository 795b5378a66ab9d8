"""TIFF 6.0: directories and the fields that every image has, by their names.

Readers pass over most of this: they sort entries, guess fields that are missing, and stop at a
directory that is damaged, so that overviews and masks are lost without a word.

Source: TIFF 6.0 (Aldus, 1992), sections 2 to 8 and 15.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity import tiff_directory
from spatial_pipeline.ingest.integrity.tiff_directory import Directory

STANDARD = "TIFF 6.0"
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _COUNTS, _PLANAR = (
    258, 259, 262, 277, 278, 279, 284,
)  # fmt: skip
_PHOTOMETRICS = frozenset({*range(7), 8, 9, 10, 32803, 32844, 32845, 34892, 51177, 52527})
_NAMES = {256: "ImageWidth", 257: "ImageLength", _PHOTOMETRIC: "PhotometricInterpretation"}
_PLACES = frozenset({273, 324})
REQUIREMENTS = ("IFD", *_NAMES.values(), "StripOffsets", "StripByteCounts")
MAX_DIRECTORIES = 256
"""Directories that are judged."""
_UNCOMPRESSED, _SEPARATE, _YCBCR = 1, 2, 6


def judge(found: Judge, file: Path) -> None:
    """Judges all directories of a TIFF."""
    chain = tiff_directory.chain(file)
    if chain is None:
        return
    found.expect("IFD", chain.damage is None, str(chain.damage))
    for directory in chain.directories[:MAX_DIRECTORIES]:
        _directory(found, file, directory)


def _directory(found: Judge, file: Path, directory: Directory) -> None:
    number = directory.number
    _, entries = tiff_directory.entries(file, directory.offset)
    tags = [e.tag for e in entries]
    told = f"the tags of directory {number} do not ascend"
    found.expect("IFD", tags == sorted(set(tags)), told)
    for tag, name in _NAMES.items():
        found.expect(name, tag in tags, f"directory {number} has no {name}")
    told = f"directory {number} says neither where its strips are nor where its tiles are"
    found.expect("StripOffsets", bool(_PLACES & set(tags)), told)
    wanted = frozenset({_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _COUNTS, _PLANAR})
    values = tiff_directory.numbers_at(file, directory.offset, wanted) or {}
    kind = _first(values, _PHOTOMETRIC, 0)
    told = f"the PhotometricInterpretation of directory {number} is {kind:g}, which is not defined"
    found.expect(_NAMES[_PHOTOMETRIC], kind in _PHOTOMETRICS, told)
    if _first(values, _COMPRESSION, 1) == _UNCOMPRESSED and kind != _YCBCR:
        _strips(found, directory, values)


def _strips(found: Judge, directory: Directory, values: Mapping[int, tuple[float, ...]]) -> None:
    """Compares the bytes of uncompressed strips with those that the fields promise."""
    counts, height = values.get(_COUNTS, ()), directory.height
    if not height or not any(counts):
        # Strips without a byte are holes of a sparse file.
        return
    rows = min(int(_first(values, _ROWS, height)) or height, height)
    separate = _first(values, _PLANAR, 1) == _SEPARATE
    samples = int(_first(values, _SAMPLES, 1))
    planes, each = samples if separate else 1, math.ceil(height / rows)
    wrong = len(counts) != planes * each
    if not wrong:
        width = directory.width * int(_first(values, _BITS, 1)) * (1 if separate else samples)
        last = height - rows * (each - 1)
        expected = [math.ceil(width / 8) * (last if i == each - 1 else rows) for i in range(each)]
        wrong = any(n and n != e for n, e in zip(counts, expected * planes, strict=True))
    told = f"the strips of directory {directory.number} have other bytes than its size promises"
    found.expect("StripByteCounts", not wrong, told)


def _first(values: Mapping[int, tuple[float, ...]], tag: int, usual: float) -> float:
    """The first value of a field; the usual one where it has none, or none that is a number."""
    found = values.get(tag) or (usual,)
    return found[0] if math.isfinite(found[0]) else usual

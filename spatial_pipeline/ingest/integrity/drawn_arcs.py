"""Arcs of drawing formats, which GDAL reads as straight lines without a word.

Counts them in the file itself: DXF entities, and the objects of MapInfo files in both forms.

Sources: AutoCAD DXF Reference (group codes); MapInfo Interchange Format, appendix J; the MITAB
library's description of .MAP and .ID files (object types).
"""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import numpy as np

from spatial_pipeline.ingest.arcs import TOLERANCE

STEP_DEGREES = 1.6
"""Angle of GDAL's chords (OGR_ARC_STEPSIZE); their distance from the arc is 0.98e-4 of its radius.
"""
_MAPINFO_SHARE = 1.6e-4
"""Distance of MapInfo's chords from their arc, each of two degrees, as a share of its radius."""
_ENTITY = re.compile(rb"^[ \t]*0[ \t]*\r?\n[ \t]*([A-Z][A-Z0-9_]*)[ \t]*\r?$", re.MULTILINE)
_CURVED = frozenset({"ARC", "CIRCLE", "ELLIPSE"})
_SPLINES = frozenset({"SPLINE", "HELIX"})
_WITH_BULGES = frozenset({"LWPOLYLINE", "VERTEX", "HATCH"})
_TAB = {"ARC": (0x0A, 0x0B), "ELLIPSE": (0x19, 0x1A), "ROUNDRECT": (0x16, 0x17)}
"""Types of objects in a .map file, with short and with long coordinates."""
_MIF = re.compile(rb"^[ \t]*(arc|ellipse|roundrect)[ \t]+[-+.\d]", re.MULTILINE | re.IGNORECASE)


def in_dxf(file: Path) -> Iterator[str]:
    """Notes on the curved entities of a DXF text, those of blocks included."""
    if not file.stat().st_size:
        return
    with file.open("rb") as opened, closing(_mapped(opened)) as data:
        found = _curved(data)
    splines = {name: n for name, n in found.items() if name in _SPLINES}
    arcs = {name: n for name, n in found.items() if name not in _SPLINES}
    if arcs:
        yield (
            f"{sum(arcs.values())} curved entities ({', '.join(sorted(arcs))}) are read as "
            f"straight lines: nowhere farther than 1/{1 / TOLERANCE:.0f} of an arc's radius from it"
        )
    if splines:
        yield (
            f"{sum(splines.values())} entities ({', '.join(sorted(splines))}) are read as straight "
            "lines between positions on them, at a distance that GDAL does not bound"
        )


def in_tab(file: Path) -> Iterator[str]:
    """Notes on the arcs and ellipses of a MapInfo table.

    The .id file holds the place of each object in the .map file, 0 for none; the first byte of an
    object is its type.
    """
    parts = {p.suffix.casefold(): p for p in file.parent.iterdir() if p.stem == file.stem}
    if ".id" not in parts or ".map" not in parts or not parts[".map"].stat().st_size:
        return
    places = np.fromfile(parts[".id"], dtype="<u4")
    kinds = np.memmap(parts[".map"], np.uint8, "r")
    found = np.bincount(kinds[places[(places > 0) & (places < len(kinds))]], minlength=256)
    yield from _objects(
        Counter({name: int(found[list(codes)].sum()) for name, codes in _TAB.items()})
    )


def in_mif(file: Path) -> Iterator[str]:
    """Notes on the arcs and ellipses of a MapInfo interchange file."""
    if not file.stat().st_size:
        return
    with file.open("rb") as opened, closing(_mapped(opened)) as data:
        found = Counter(m[1].decode().upper() for m in _MIF.finditer(data))
    yield from _objects(found)


def _objects(found: Counter[str]) -> Iterator[str]:
    found = +found
    if found:
        yield (
            f"{found.total()} objects ({', '.join(sorted(found))}) are read as straight lines: "
            f"nowhere farther than {_MAPINFO_SHARE:g} of an arc's radius from it"
        )


def _mapped(opened: IO[bytes]) -> mmap.mmap:
    return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _curved(data: mmap.mmap) -> Counter[str]:
    """Curved entities by their name; those with a bulge under that of their polyline."""
    found: Counter[str] = Counter()
    name, begin, bent = "", 0, False

    def end_of(stop: int) -> bool:
        body = data[begin:stop] if name in _WITH_BULGES else b""
        return (b"42" in body or b"72" in body) and _bulges(body, name)

    for match in _ENTITY.finditer(data):
        bulge = end_of(match.start())
        if name == "VERTEX":
            bent |= bulge
        elif bulge:
            found[name] += 1
        name, begin = match[1].decode("ascii"), match.end()
        if name != "VERTEX" and bent:
            found["POLYLINE"] += 1
            bent = False
        if name in _CURVED or name in _SPLINES:
            found[name] += 1
    return found


def _bulges(body: bytes, name: str) -> bool:
    """Whether group codes of an entity, one line each before its value, make an edge an arc."""
    lines = body.lstrip(b"\r\n").splitlines() if body.strip() else []
    for code, value in zip(lines[::2], lines[1::2], strict=False):
        if code.strip() == b"42" and _number(value):
            return True
        if name == "HATCH" and code.strip() == b"72" and _number(value) in {2, 3, 4}:
            return True
    return False


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

"""References in files that point to other files, such as VRTs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

from spatial_pipeline.errors import SourceError

HEAD_BYTES = 4096
MAX_VIRTUAL_BYTES = 256 << 20
"""Largest virtual dataset that is followed."""
MAX_REFERENCES = 100_000
_FOLLOWED = {
    b"<vrtdataset": {"sourcefilename": "SourceFilename", "sourcedataset": "SourceDataset"},
    b"<ogrvrtdatasource": {"srcdatasource": "SrcDataSource"},
}
"""Starts of files that are followed, and the elements that name other files, in one spelling."""
_ELSEWHERE = frozenset(
    {"srcsql", "openoptions", "cachedsource", "datafile", "indexfile", "dempath"}
)
"""Elements through which GDAL would read, or write, what nothing here can follow."""
_REFUSED = (
    b"<mrf_meta", b"<gdal_wms", b"<gdal_wmts", b"<wcs_gdal", b"<gdaltileindexdataset",
    b"<ogrwfsdatasource", b"<ogrcswdatasource", b"<ogcapidataset", b"<pamdataset",
    b'"gdal_streamed_alg"', b'"gdal_raster_pipeline"', b"<spatialite", b"<ntv2", b"<capabilities",
    b"<wmt_ms_capabilities", b'"stac_version"', b"<wms_capabilities", b"isseamless",
    b"vrtprocesseddataset", b"<gdal_pipeline",
)  # fmt: skip
"""Starts of files through which GDAL would read elsewhere: their content would name no bytes.
All are compared in lower case and without a namespace prefix, as GDAL reads some of them so."""


def referenced(file: Path, admit: Callable[[Path], None] = lambda _file: None) -> list[Path]:
    """The files that a virtual dataset reads, nested ones included, in order of appearance.

    Args:
        file: the virtual dataset, or any other file, which refers to nothing.
        admit: raises SourceError for a file that may not be read; called before one is opened.

    Raises:
        SourceError: it points to something that is no file, or that does not exist; or it is a
            service description, whose content no fingerprint could name.

    """
    found: dict[Path, None] = {}
    waiting = [file]
    seen = {file.resolve()}
    while waiting:
        current = waiting.pop(0)
        for target in _direct(current):
            admit(target)
            if not target.is_file():
                msg = f"{current.name} refers to {target.name}, which does not exist"
                raise SourceError(msg)
            found[target] = None
            if len(found) > MAX_REFERENCES:
                msg = f"{file.name} refers to more than {MAX_REFERENCES} files"
                raise SourceError(msg)
            if target.resolve() not in seen:
                seen.add(target.resolve())
                waiting.append(target)
    return list(found)


def refuse_inside(name: str, head: bytes) -> None:
    """Refuses a member of an archive that only points to other files.

    Raises:
        SourceError: it does: what it reads would be no part of the archive's content.

    """
    start = _plain(head)
    if any(mark in start for mark in (*_FOLLOWED, *_REFUSED)):
        msg = f"{name} points to other files, which cannot be followed from inside an archive"
        raise SourceError(msg)


def _plain(head: bytes) -> bytes:
    """The start of a file in lower case, its tags without namespace prefixes."""
    return re.sub(rb"<[a-z0-9_.-]+:(?!//)", b"<", head[:HEAD_BYTES].lower())


def _direct(file: Path) -> list[Path]:
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    start = _plain(head)
    if any(mark in start for mark in _REFUSED):
        msg = f"{file.name} describes a service or a virtual dataset that reads elsewhere"
        raise SourceError(msg)
    for mark, elements in _FOLLOWED.items():
        if mark in start:
            return _targets(file, elements)
    return []


def _targets(file: Path, elements: dict[str, str]) -> list[Path]:
    if file.stat().st_size > MAX_VIRTUAL_BYTES:
        msg = f"{file.name} is larger than {MAX_VIRTUAL_BYTES} bytes, too large for a VRT"
        raise SourceError(msg)
    targets: list[Path] = []
    try:
        for _, element in ET.iterparse(file):  # noqa: S314 (expat bounds entity expansion)
            target = _target(file, element, elements)
            if target is not None:
                targets.append(target)
    except ET.ParseError as exc:
        msg = f"{file.name} is not well-formed XML: {exc}"
        raise SourceError(msg) from exc
    return targets


def _target(file: Path, element: ET.Element, elements: dict[str, str]) -> Path | None:
    """The file that an element refers to.

    GDAL compares names without regard to case and namespace and takes attributes for elements, so
    every spelling but the documented one is refused.
    """
    spelled = element.tag.rpartition("}")[2]
    name = spelled.casefold()
    attributes = {a.rpartition("}")[2].casefold() for a in element.attrib}
    if name in _ELSEWHERE or attributes & _ELSEWHERE:
        word = "SrcSQL" if name == "srcsql" or "srcsql" in attributes else spelled
        how = "selects by SQL" if word == "SrcSQL" else f"has an element {word}"
        msg = f"{file.name} {how}, which can read other files: it cannot be followed"
        raise SourceError(msg)
    if attributes & elements.keys() or (name in elements and element.tag != elements[name]):
        msg = f"{file.name} spells {spelled} in a way that cannot be followed"
        raise SourceError(msg)
    text = "".join(element.itertext()).strip() if name in elements else ""
    if not text:
        return None
    relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")) == "1"
    path = Path(text)
    if text.startswith(("/vsi", "<")) or ":" in text:
        msg = f"{file.name} refers to {text[:100]!r}: only plain files can be followed"
        raise SourceError(msg)
    return path if path.is_absolute() and not relative else file.parent / path

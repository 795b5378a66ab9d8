"""Files that only point to other files, and what they point to."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from spatial_pipeline.errors import SourceError

HEAD_BYTES = 4096
MAX_VIRTUAL_BYTES = 256 << 20
"""Largest virtual dataset that is followed."""
MAX_REFERENCES = 100_000
_FOLLOWED = {b"<VRTDataset": ("SourceFilename", "SourceDataset"),
             b"<OGRVRTDataSource": ("SrcDataSource",)}  # fmt: skip
_REFUSED = (
    b"<GDAL_WMS", b"<GDAL_WMTS", b"<WCS_GDAL", b"<GDALTileIndexDataset", b"<OGRWFSDataSource",
    b"<OGRCSWDataSource", b"<OGCAPIDataset", b"<PAMDataset", b'"gdal_streamed_alg"',
    b'"gdal_raster_pipeline"', b"<SPATIALITE", b"<NTv2", b"<Capabilities", b"<WMT_MS_Capabilities",
    b'"stac_version"', b"<WMS_Capabilities", b"IsSeamless", b"VRTProcessedDataset",
)  # fmt: skip
"""Starts of files through which GDAL would read elsewhere: their content would name no bytes."""


def referenced(file: Path) -> list[Path]:
    """The files that a virtual dataset reads, nested ones included, in order of appearance.

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
    if any(start in head[:HEAD_BYTES] for start in (*_FOLLOWED, *_REFUSED)):
        msg = f"{name} points to other files, which cannot be followed from inside an archive"
        raise SourceError(msg)


def _direct(file: Path) -> list[Path]:
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    for start in _REFUSED:
        if start in head:
            msg = f"{file.name} describes a service or a virtual dataset that reads elsewhere"
            raise SourceError(msg)
    for start, elements in _FOLLOWED.items():
        if start in head:
            return _targets(file, elements)
    return []


def _targets(file: Path, elements: tuple[str, ...]) -> list[Path]:
    if file.stat().st_size > MAX_VIRTUAL_BYTES:
        msg = f"{file.name} is larger than {MAX_VIRTUAL_BYTES} bytes, too large for a VRT"
        raise SourceError(msg)
    targets: list[Path] = []
    try:
        root = ET.parse(file).getroot()  # noqa: S314 (expat bounds entity expansion)
    except ET.ParseError as exc:
        msg = f"{file.name} is no well-formed XML: {exc}"
        raise SourceError(msg) from exc
    for element in root.iter():
        if element.tag == "SrcSQL":
            msg = f"{file.name} selects by SQL, which can read other files: it cannot be followed"
            raise SourceError(msg)
        if element.tag not in elements or not (element.text or "").strip():
            continue
        text = (element.text or "").strip()
        relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")) == "1"
        path = Path(text)
        if text.startswith(("/vsi", "<")) or "://" in text or (not relative and ":" in text[2:]):
            msg = f"{file.name} refers to {text[:100]!r}: only plain files can be followed"
            raise SourceError(msg)
        targets.append(path if path.is_absolute() and not relative else file.parent / path)
    return targets

"""Tags of a raster in all domains: read in one order, and carried to the staged file.

GDAL loads some tags only when others were asked for (``METADATATYPE`` once the domain ``IMD``
was), and writes either the tags of bands or those of other domains into a TIFF. What the TIFF
does not get goes to the ``.aux.xml`` beside it, where GDAL looks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from spatial_pipeline.ingest.raster_vrt import parsed, text

OWN_DOMAINS = frozenset(
    {"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS", "SUBDATASETS", "xml:VRT", "COLOR_PROFILE"}
)
"""Metadata that describes the file, not the data."""
Tags = dict[tuple[int, str, str], str]
"""Values by band (0 for the dataset), domain and name."""
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML cannot hold."""


def loaded(dataset: Any) -> Tags:
    """All tags, after every domain was asked for once: before that, some are not there."""
    for _ in range(2):
        for band in range(dataset.count + 1):
            for domain in dataset.tag_namespaces(band):
                dataset.tags(band, ns=domain or None)
    found: Tags = {}
    for band in range(dataset.count + 1):
        for domain in ["", *dataset.tag_namespaces(band)]:
            if domain not in OWN_DOMAINS:
                items = dataset.tags(band, ns=domain or None).items()
                found.update({(band, domain, name): value for name, value in items})
    return found


def lost(before: Mapping[tuple[int, str, str], str], after: Tags) -> Tags:
    """Tags that differ or are missing in the second of two."""
    return {key: value for key, value in before.items() if not _same(key[1], value, after.get(key))}


def carry(target: Path, tags: Tags) -> None:
    """Adds tags to the ``.aux.xml`` of a staged raster."""
    file = target.with_name(target.name + ".aux.xml")
    root = _readable(parsed(file.read_bytes())) if file.exists() else ET.Element("PAMDataset")
    for (band, domain, name), value in tags.items():
        if _UNPRINTABLE.search(f"{name}{value}"):
            continue
        parent = root if not band else _child(root, "PAMRasterBand", "band", str(band))
        holder = _child(parent, "Metadata", "domain", domain)
        if domain.startswith("xml:"):
            _document(holder, value)
        else:
            ET.SubElement(holder, "MDI", key=name).text = value
    file.write_bytes(ET.tostring(root, encoding="utf-8"))


def _same(domain: str, before: str, after: str | None) -> bool:
    if before == after or after is None:
        return before == after
    if domain != "RPC":
        return False
    # Coefficients are stored as numbers, not as the text that they came in.
    numbers = [_floats(before), _floats(after)]
    return numbers[0] is not None and numbers[0] == numbers[1]


def _floats(value: str) -> list[str] | None:
    try:
        return [f"{float(part):.14g}" for part in value.split()]
    except ValueError:
        return None


def _document(holder: ET.Element, value: str) -> None:
    """Puts an XML document into a domain; one that is not well-formed is left out."""
    try:
        holder.append(_readable(parsed(value.encode())))
    except ET.ParseError:
        return
    holder.set("format", "xml")


def _readable(root: ET.Element) -> ET.Element:
    for element in root.iter():
        element.attrib.update({k: text(v, None) for k, v in element.attrib.items()})
        if element.text:
            element.text = text(element.text, None)
    return root


def _child(parent: ET.Element, name: str, attribute: str, value: str) -> ET.Element:
    for element in parent.findall(name):
        if element.get(attribute, "") == value:
            return element
    return ET.SubElement(parent, name, {attribute: value} if value else {})

"""Rasters inside of one file: subdatasets, pages of a TIFF, images of an animation.

One is read; the others are named, so that nothing is left out without a word. What cannot be
opened by name (frames of a GIF) is counted.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest import gdal_messages, raster_scan, raster_windows
from spatial_pipeline.ingest.integrity import tiff_directory
from spatial_pipeline.ingest.integrity.tiff_directory import DirectoryChain

NAMED = 20
"""Rasters that a message lists."""
TRIED_BYTES = 256 << 20
TRIED_PAGES = 1_000
"""Pixels, and pages, that were not asked for and are decoded all the same, to tell damage."""


@dataclass(frozen=True)
class Choice:
    """The raster that is read out of a file.

    Attributes:
        path: path for GDAL.
        page: 1-based number of the page of a TIFF; 1 for other files.
        others: names of the other rasters in the file, as ``layer`` takes them.
        unread: path for GDAL of each other page of a TIFF.
        notes: notes on the other pages.

    """

    path: str
    page: int = 1
    others: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def choose(path: str, layer: str | None) -> Choice:
    """The raster that the layer names, or the only or first one.

    Args:
        path: the file.
        layer: name of a subdataset or number of a page; also as GDAL writes it.

    Raises:
        SourceError: several rasters and none is named, or there is none of that name.
        RasterioError: GDAL cannot open the file.

    """
    with rasterio.open(path) as dataset:
        inner = [str(name) for name in dataset.subdatasets]
        bands, driver = int(dataset.count), str(dataset.driver)
    chain = tiff_directory.chain(Path(path)) if driver == "GTiff" else None
    if chain is not None and chain.directories:
        return _page(path, layer, chain)
    names = {short(name, path): name for name in inner}
    if layer is not None:
        for name, address in names.items():
            if _plain(layer) in _spellings(name, address, path):
                others = tuple(n for n in names if n != name)
                return Choice(address, others=others, notes=_unread(others))
        near = closest(layer, names).hint
        msg = f"no layer {layer!r} in it; layers: {_listed(list(names)) or 'none'}{near}"
        raise SourceError(msg)
    if not bands and names:
        msg = f"{len(names)} rasters in it, name one of them as layer: {_listed(list(names))}"
        raise SourceError(msg)
    # Formats that open their first image list it first.
    others = tuple(names)[1:]
    return Choice(path, others=others, notes=(*_unread(others), *_frames(path, driver)))


def damage(choice: Choice) -> list[str]:
    """Notes on the pages that are not read and do not decode; on those that were not tried."""
    found: list[str] = []
    left = TRIED_BYTES
    skipped = set(choice.others[TRIED_PAGES:]) if choice.unread else set()
    for name, address in zip(choice.others[:TRIED_PAGES], choice.unread, strict=False):
        try:
            with gdal_messages.silenced(), gdal_messages.aside():
                with rasterio.Env(**raster_windows.OPTIONS), rasterio.open(address) as dataset:
                    size = _bytes(dataset)
                if size > left:
                    skipped.add(name)
                    continue
                left -= size
                broken = raster_scan.scan(address, 1).broken
        except RasterioError as exc:
            found.append(_damaged(name, raster_scan.reason_of(exc)))
            continue
        if broken:
            many = "1 block does" if len(broken) == 1 else f"{len(broken)} blocks do"
            found.append(_damaged(name, f"{many} not decode: {broken[0].reason}"))
    if skipped:
        names = [name for name in choice.others if name in skipped]
        found.append(f"not tried whether they decode: pages {_listed(names)}")
    return found


def _damaged(page: str, reason: str) -> str:
    return f"page {page}, {gdal_messages.UNREAD}, is damaged: {reason}"


def short(name: str, path: str) -> str:
    """The name of a subdataset without driver and path: what ``layer`` takes."""
    for quoted in (f'"{path}"', path):
        head, mark, tail = name.partition(quoted)
        if mark:
            inner = tail.removeprefix(":").strip('"')
            return inner or head.rstrip(":").partition(":")[2]
    return name.rsplit(":", 1)[-1].strip('"')


def _page(path: str, layer: str | None, chain: DirectoryChain) -> Choice:
    """A page of a TIFF: overviews and masks are none, but keep their numbers as in GDAL."""
    first = chain.directories[0]
    images = [d for d in chain.directories if d.image or d is first]
    names = [str(d.number) for d in images]
    page = first
    if layer is not None:
        wanted = {
            spelling: d
            for d in images
            for spelling in _spellings(str(d.number), f"GTIFF_DIR:{d.number}:{path}", path)
        }
        if _plain(layer) not in wanted:
            msg = f"no page {layer!r} in it; pages: {_listed(names)}"
            raise SourceError(msg)
        page = wanted[_plain(layer)]
    others = [d for d in images if d is not page]
    notes = []
    if others:
        told = [f"{d.number} ({d.width} × {d.height})" for d in others]
        notes.append(f"page {page.number} is read; not read, and named by layer: {_listed(told)}")
    if not page.image:
        notes.append(f"page {page.number} says that it is an overview or a mask of another page")
    if chain.damage is not None:
        notes.append(f"pages may be missing: {chain.damage}")
    return Choice(
        path if page is first else f"GTIFF_DIR:{page.number}:{path}",
        page.number,
        tuple(str(d.number) for d in others),
        # By offset: by number, GDAL walks the chain from its beginning for each.
        tuple(f"GTIFF_DIR:off:{d.offset}:{path}" for d in others),
        tuple(notes),
    )


def _spellings(name: str, address: str, path: str) -> set[str]:
    """Ways to write a raster's name: short, and as GDAL does, with the path or the file's name."""
    file = Path(path).name
    full = {address, address.replace(path, file)}
    return {_plain(s) for s in {name, name.lstrip("/"), *full}} | {
        _plain(f).removesuffix(f":{file}") for f in full
    }


def _plain(name: str) -> str:
    """A name without quotes, and with the driver before the first colon in lower case."""
    head, colon, tail = name.replace('"', "").partition(":")
    return head.lower() + colon + tail if colon else head


def _unread(others: Sequence[str]) -> tuple[str, ...]:
    if not others:
        return ()
    count = f"{len(others)} other raster{'s' * (len(others) != 1)}"
    return (f"{count} in it not read, named by layer: {_listed(others)}",)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _bytes(dataset: Any) -> int:
    pixel = sum(4 if t == "complex_int16" else np.dtype(t).itemsize for t in dataset.dtypes)
    return int(dataset.width * dataset.height * pixel)


def _frames(path: str, driver: str) -> tuple[str, ...]:
    """A note on images behind the first one, which GDAL neither reads nor names."""
    count = _COUNTED[driver](Path(path).read_bytes()) if driver in _COUNTED else 1
    return (f"{count} images in it; only the first is read",) if count > 1 else ()


def _gif_images(data: bytes) -> int:
    """Images of a GIF: its image descriptors (GIF89a, section 20)."""

    def table(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    if len(data) < 13:
        return 0
    at, count = 13 + table(data[10]), 0
    while at < len(data) and data[at] in b"\x21\x2c":
        if data[at] == 0x2C:
            if at + 10 >= len(data):
                break
            count += 1
            at += 11 + table(data[at + 9])
        else:
            at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return count


def _png_images(data: bytes) -> int:
    """Frames of an animated PNG: chunk ``acTL``, which stands before the pixels."""
    head = data[: max(data.find(b"IDAT"), 0)]
    at = head.find(b"acTL")
    return int(struct.unpack(">I", head[at + 4 : at + 8])[0]) if 0 < at < len(head) - 8 else 1


def _webp_images(data: bytes) -> int:
    """Frames of an animated WebP: chunks ``ANMF``."""
    return len(re.findall(rb"ANMF", data)) if data[12:16] == b"VP8X" else 1


_COUNTED = {
    "GIF": _gif_images, "BIGGIF": _gif_images, "PNG": _png_images, "WEBP": _webp_images,
}  # fmt: skip

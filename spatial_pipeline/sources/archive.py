"""Zip archives: bounded, and copied out member by member."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from spatial_pipeline.errors import SourceError
from spatial_pipeline.sources.sidecars import wanted

MAX_UNCOMPRESSED_BYTES = 16 << 30
"""Largest total size of the members of an archive."""
MAX_RATIO = 200
"""Largest total size of the members in units of the archive's size."""
SMALL_BYTES = 64 << 20
"""Up to this total size the ratio does not matter."""
MAX_MEMBERS = 100_000
DATA_SUFFIXES = (
    ".shp", ".gpkg", ".geojson", ".json", ".geojsonl", ".fgb", ".csv", ".tsv", ".psv", ".parquet",
    ".geoparquet", ".gml", ".kml", ".gpx", ".tab", ".mif", ".sqlite", ".dxf", ".tif", ".tiff",
    ".vrt", ".png", ".jpg", ".jpeg", ".jp2", ".img", ".asc", ".nc",
)  # fmt: skip
"""Members that are datasets, not sidecars or texts."""


def is_zip(file: Path) -> bool:
    """True when the file starts like a zip archive."""
    with file.open("rb") as opened:
        return opened.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}


def named_zip(file: Path) -> bool:
    """True when a zip archive is a container to look into, not a format of its own (KMZ, XLSX)."""
    return file.suffix.casefold() in {".zip", ".shz"}


@contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, once it is known to stay within the limits.

    Raises:
        SourceError: no readable archive, an unsafe member, or larger than a limit.

    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check(archive, file)
            yield archive
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as exc:
        msg = f"the archive cannot be read: {exc}"
        raise SourceError(msg) from exc


def bounded(file: Path) -> None:
    """Refuses an archive that expands beyond the limits.

    Raises:
        SourceError: it does, with the limit named.

    """
    with opened(file):
        pass


def choose(file: Path, member: str | None) -> str:
    """The member to read: the one named, else the only dataset of the archive.

    Raises:
        SourceError: no such member, no dataset, or several of them.

    """
    with opened(file) as archive:
        names = [i.filename for i in archive.infolist() if not i.is_dir()]
        datasets = [n for n in names if PurePosixPath(n).suffix.casefold() in DATA_SUFFIXES]
        datasets = [n for n in datasets if not n.startswith("__MACOSX/")]
        if member is not None:
            chosen = member.lstrip("/")
            if chosen not in names:
                msg = f"has no member {chosen!r}; datasets in it: {', '.join(datasets) or 'none'}"
                raise SourceError(msg)
        elif len(datasets) == 1:
            chosen = datasets[0]
        elif not datasets:
            msg = "the archive holds no dataset"
            raise SourceError(msg)
        else:
            msg = f"the archive holds {len(datasets)} datasets, name one: " + ", ".join(
                f"{file.name}!{n}" for n in datasets[:20]
            )
            raise SourceError(msg)
        return chosen


def family(archive: zipfile.ZipFile, member: str) -> list[str]:
    """A member and its sidecars: those beside it with the same stem, or named after it."""
    path = PurePosixPath(member)
    stem = path.stem.casefold() + "."
    named = wanted(path.name)
    beside = [
        n
        for n in dict.fromkeys(archive.namelist())
        if n != member
        and not n.endswith("/")
        and PurePosixPath(n).parent == path.parent
        and (
            PurePosixPath(n).name.casefold().startswith(stem)
            or PurePosixPath(n).name.casefold() in named
        )
    ]
    return [member, *beside]


def heads(file: Path, member: str, size: int) -> Iterator[tuple[str, bytes]]:
    """Names and first bytes of a member and its sidecars.

    Damaged ones are left out: :func:`extract` refuses them before anything is read of them.
    """
    with opened(file) as archive:
        for name in family(archive, member):
            try:
                with archive.open(name) as stream:
                    head = stream.read(size)
            except (zipfile.BadZipFile, zlib.error, EOFError):
                continue
            yield name, head


def extract(file: Path, member: str, folder: Path) -> list[Path]:
    """Copies a member and its sidecars into a folder, checked against their checksums.

    Args:
        file: the archive.
        member: the member to read.
        folder: existing, empty folder.

    Returns:
        The copies, that of ``member`` first.

    Raises:
        SourceError: a checksum is wrong or a member is larger than it says.
        OSError: the folder cannot be written.

    """
    copies = []
    with opened(file) as archive:
        for name in family(archive, member):
            target = folder / PurePosixPath(name).name
            with target.open("xb") as written:
                try:
                    with archive.open(name) as stream:
                        shutil.copyfileobj(stream, written, 1 << 20)
                except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
                    msg = f"member {name} of the archive is damaged: {exc}"
                    raise SourceError(msg) from exc
                if written.tell() != archive.getinfo(name).file_size:
                    msg = f"member {name} of the archive does not have the bytes it declares"
                    raise SourceError(msg)
            copies.append(target)
    return copies


def _check(archive: zipfile.ZipFile, file: Path) -> None:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        msg = f"the archive has more than {MAX_MEMBERS} members"
        raise SourceError(msg)
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            msg = f"the archive has an unsafe member {member.filename!r}"
            raise SourceError(msg)
        if member.flag_bits & 1:
            msg = f"member {member.filename} of the archive is encrypted"
            raise SourceError(msg)
    total = sum(m.file_size for m in members)
    if total > MAX_UNCOMPRESSED_BYTES:
        msg = f"the archive expands to {total} bytes, the limit is {MAX_UNCOMPRESSED_BYTES}"
        raise SourceError(msg)
    size = max(1, file.stat().st_size)
    if total > SMALL_BYTES and total > MAX_RATIO * size:
        msg = f"the archive expands {total // size} times, the limit is {MAX_RATIO}"
        raise SourceError(msg)

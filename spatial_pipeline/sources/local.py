"""Resolution of a contract's URI to files on disk; a refusal comes before any read."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.errors import SourceError
from spatial_pipeline.sources import archive
from spatial_pipeline.sources.references import HEAD_BYTES, referenced, refuse_inside
from spatial_pipeline.sources.sidecars import folder_dataset, sidecars

SUPPORTED = (
    "a path, x.zip, x.zip!inner/file, package://name/path, http:// and https://, s3://, gs://, "
    "az:// and postgresql:"
)
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_PACKAGE = "package://"
MAX_BESIDE = 1000
"""Names in a folder that are compared with one that is missing."""


@dataclass(frozen=True)
class SourceFiles:
    """Files of a resolved source.

    Attributes:
        uri: the source as the contract names it (partition filled in).
        path: path for GDAL or Arrow; empty when there is an error.
        files: every file that makes up the source, sidecars and referenced files included, the
            named one first; real paths.
        member: member of a zip archive that is read, None outside of archives.
        error: why there is nothing to read.

    """

    uri: str
    path: str
    files: tuple[Path, ...] = ()
    member: str | None = None
    error: str | None = None


def named(reason: str, resolved: SourceFiles, view: Path | None = None) -> str:
    """The reason, told of the file and not of its folder, whose path differs between machines.

    Args:
        reason: error in words.
        resolved: the source as it was found.
        view: folder in which readers saw it; see ``private_view``.

    """
    if not resolved.files:
        return reason
    file = resolved.files[0]
    inner = f"{file.name}!{resolved.member}" if resolved.member else file.name
    if view is not None and resolved.member is not None:
        copied = PurePosixPath(resolved.member).name
        reason = reason.replace(f"{view}/{copied}", inner)
    for folder in (view, file.parent):
        reason = reason.replace(f"{folder}/", "")
    if file.name in reason:
        return reason
    said = resolved.member is not None and resolved.member in reason
    return f"{file.name if said else inner}: {reason}"


class _Place(NamedTuple):
    """A named file, and what may be read to get it."""

    file: Path
    fence: Path | None


def resolve(uri: str, base: Path, allowed: Sequence[str] | None = None) -> SourceFiles:
    """Finds the files of a source.

    Args:
        uri: path relative to ``base`` or absolute, ``x.zip``, ``x.zip!inner/file`` or
            ``package://name/path``.
        base: folder of the contract.
        allowed: when given, folders and files, relative to the working directory, and
            ``package://name`` prefixes; every file of the source, links followed, must lie below
            one of them, and nothing is read otherwise.

    Returns:
        The place, or one with ``error`` set; this function does not raise for a bad source.

    """
    try:
        return _resolve(uri, base, allowed)
    except (SourceError, OSError, ValueError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        name = uri.rsplit("/", 1)[-1]
        return SourceFiles(uri=uri, path="", error=f"{name}: {reason}")


def resolve_fetched(uri: str, file: Path, member: str | None) -> SourceFiles:
    """The files of a source that was brought here from another machine.

    Args:
        uri: its URI without secrets.
        file: the named file, alone with its sidecars in a folder; nothing else is read, whatever
            a virtual dataset refers to.
        member: member of the zip archive that is read.

    Returns:
        The place, or one with ``error`` set.

    """
    try:
        place = _Place(file.resolve(), file.parent.resolve())
        found = _found(uri, place, member, None)
        if referenced(place.file):
            msg = "refers to other files, which are not fetched"
            raise SourceError(msg)
    except (SourceError, OSError, ValueError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        return SourceFiles(uri=uri, path="", error=f"{file.name}: {reason}")
    return found


def _resolve(uri: str, base: Path, allowed: Sequence[str] | None) -> SourceFiles:
    name, member = split_member(uri)
    place = _package_place(name) if name.startswith(_PACKAGE) else _path_place(name, base)
    fences = None if allowed is None else _fences(allowed)
    return _found(uri, place, member, fences, base.resolve())


def _similar(file: Path) -> str:
    """A hint at a file of a similar name beside one that does not exist.

    Names that differ in digits only are deliveries of another day, not another spelling.
    """
    try:
        beside = [p.name for p in itertools.islice(file.parent.iterdir(), MAX_BESIDE)]
    except OSError:
        return ""
    digits = re.compile(r"\d")
    names = [n for n in beside if digits.sub("", n) != digits.sub("", file.name)]
    return closest(file.name, names).hint


def _found(
    uri: str,
    place: _Place,
    member: str | None,
    fences: tuple[Path, ...] | None,
    trusted: Path | None = None,
) -> SourceFiles:
    _admit([place.file], fences, place.fence)
    if not place.file.exists():
        msg = f"does not exist{_similar(place.file)}"
        raise SourceError(msg)
    if place.file.is_dir():
        files = folder_dataset(place.file)
        _admit(files, fences, place.fence)
        return SourceFiles(uri=uri, path=str(place.file), files=(place.file, *files))
    if not place.file.is_file():
        msg = "is neither a file nor a folder"
        raise SourceError(msg)
    if not place.file.stat().st_size:
        msg = "is empty, 0 bytes"
        raise SourceError(msg)
    if archive.is_zip(place.file) and (member is not None or archive.named_zip(place.file)):
        inner = archive.choose(place.file, member)
        for name, head in archive.heads(place.file, inner, HEAD_BYTES):
            refuse_inside(name, head)
        path = f"/vsizip/{{{place.file}}}/{inner}"
        return SourceFiles(uri=uri, path=path, files=(place.file,), member=inner)
    if member is not None:
        msg = "is not a zip archive, so nothing can be inside it"
        raise SourceError(msg)
    if archive.is_zip(place.file):
        archive.bounded(place.file)
    files = [place.file, *sidecars(place.file)]
    _admit(files, fences, place.fence)

    def admit(file: Path) -> None:
        _admit([file], fences, place.fence)
        if fences is None and trusted is not None:
            _admit_reference(file, [place.file.parent, trusted])

    for found in referenced(place.file, admit):
        files += [found, *sidecars(found)]
    _admit(files, fences, place.fence)
    real = list(dict.fromkeys(f.resolve() for f in files))
    return SourceFiles(uri=uri, path=str(place.file), files=tuple(real))


def split_member(uri: str) -> tuple[str, str | None]:
    """The file and the archive member of a URI."""
    if "\0" in uri:
        msg = "a NUL character cannot be part of a path"
        raise SourceError(msg)
    if uri.startswith("/vsi"):
        msg = f"GDAL's virtual paths are not supported; supported are {SUPPORTED}"
        raise SourceError(msg)
    scheme = _SCHEME.match(uri)
    if scheme and not uri.startswith(_PACKAGE):
        msg = f"{scheme[1]}: is not supported; supported are {SUPPORTED}"
        raise SourceError(msg)
    head, mark, tail = uri.partition(".zip!")
    return (head + ".zip", tail) if mark else (uri, None)


def place_of(name: str, base: Path, allowed: Sequence[str] | None, listed: str) -> Path:
    """The path of a name with a placeholder in it, once its folder may be listed.

    Args:
        name: path or ``package://name/path``, without a member of an archive.
        base: folder of the contract.
        allowed: see :func:`resolve`; the folders before the placeholder must lie below an entry.
        listed: the placeholder.

    Raises:
        SourceError: the folder lies outside of what may be read.

    """
    place = _package_place(name) if name.startswith(_PACKAGE) else _path_place(name, base)
    folder = place.file
    while listed in str(folder):
        folder = folder.parent
    _admit([folder], None if allowed is None else _fences(allowed), place.fence)
    return place.file


def admitted_place(
    name: str, base: Path, allowed: Sequence[str] | None, *, folder: bool = False
) -> Path:
    """The path of a named file, which need not exist, once it may be opened.

    Args:
        name: path or ``package://name/path``, without a member of an archive.
        base: folder of the contract.
        allowed: see :func:`resolve`.
        folder: give the folder that it lies in, which must be allowed as well.

    Raises:
        SourceError: it lies outside of what may be read.

    """
    place = _package_place(name) if name.startswith(_PACKAGE) else _path_place(name, base)
    wanted = place.file.parent if folder else place.file
    _admit([wanted], None if allowed is None else _fences(allowed), place.fence)
    return wanted


def _path_place(name: str, base: Path) -> _Place:
    return _Place((base / Path(name).expanduser()).resolve(), None)


def _package_place(name: str) -> _Place:
    """The file of ``package://name/path``, found without importing the package."""
    package, _, inner = name.removeprefix(_PACKAGE).partition("/")
    if not package.isidentifier():
        msg = f"{package!r} is not a package name"
        raise SourceError(msg)
    if not inner or ".." in PurePosixPath(inner).parts or PurePosixPath(inner).is_absolute():
        msg = f"a path inside the package {package} is needed, without .."
        raise SourceError(msg)
    root = package_folder(package)
    return _Place((root / inner).resolve(), root)


def package_folder(package: str) -> Path:
    """Folder of an installed package, which is not imported.

    Raises:
        SourceError: the package is not installed.

    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        msg = f"package {package} is not installed: pip install {package}"
        raise SourceError(msg)
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _fences(allowed: Sequence[str]) -> tuple[Path, ...]:
    fences = []
    for entry in allowed:
        if entry.startswith(_PACKAGE):
            package, _, inner = entry.removeprefix(_PACKAGE).partition("/")
            if package.isidentifier() and importlib.util.find_spec(package) is not None:
                fences.append((package_folder(package) / inner).resolve())
        elif not _SCHEME.match(entry):
            fences.append(Path(entry).expanduser().resolve())
    return tuple(fences)


def _admit(files: Iterable[Path], allowed: tuple[Path, ...] | None, fence: Path | None) -> None:
    """Refuses files whose real path is outside of what may be read."""
    for file in files:
        real = file.resolve()
        if fence is not None and not real.is_relative_to(fence):
            msg = f"{file.name} is outside the package"
            raise SourceError(msg)
        if allowed is not None and not any(real.is_relative_to(a) for a in allowed):
            msg = f"{file.name} lies outside of the allowed sources (SPATIAL_ALLOWED_SOURCES)"
            raise SourceError(msg)


def _admit_reference(file: Path, folders: Sequence[Path]) -> None:
    """Refuses a referenced file that nobody allowed and that lies elsewhere than its referrer."""
    if not any(file.resolve().is_relative_to(folder) for folder in folders):
        msg = (
            f"refers to {file.name} outside of its own folder and the contract's: set "
            "SPATIAL_ALLOWED_SOURCES to allow it"
        )
        raise SourceError(msg)

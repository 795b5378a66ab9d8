"""Size of the work of a run, from what can be known without reading: files and staged versions.

Sources on other machines and tables of a database have no size here: only reading tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.remote_url import is_remote
from spatial_pipeline.contract.rules import OtherDataset, OtherSource
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.version import Version
from spatial_pipeline.sources import archive
from spatial_pipeline.sources.fingerprint import uri_of
from spatial_pipeline.sources.local import resolve
from spatial_pipeline.store.versions import Store

BYTES_A_VALUE = 8
"""Bytes of a pixel of one band in memory, at most."""
UNPACKED = 4
"""Bytes of features in memory for each byte of a staged file."""


def work_bytes(
    contract: Contract, partition: str | None, store: Store, allowed: Sequence[str] | None = None
) -> int | None:
    """Bytes that a run of a dataset works on: its source, and the data that it is compared with.

    Pixels count as they are in memory: a small file can hold very many. So a raster has a size only
    when a former version was staged.

    Args:
        contract: the contract.
        partition: partition key.
        store: the store of versions.
        allowed: see ``Settings.allowed_sources``.

    Returns:
        The bytes; None when they are not known.

    """
    sizes = list(_sizes(contract, partition, store, allowed))
    return None if None in sizes else sum(s for s in sizes if s is not None)


def _sizes(
    contract: Contract, partition: str | None, store: Store, allowed: Sequence[str] | None
) -> Iterator[int | None]:
    yield _file_bytes(uri_of(contract.source, partition), contract.base, allowed)
    if contract.kind == "raster":
        yield _last_staged(contract.name, partition, store)
    for rule in contract.effective_rules:
        for other in rule.others():
            if isinstance(other, OtherSource):
                source = Source(uri=other.uri, layer=None, query=None, where=None)
                yield _file_bytes(uri_of(source, partition), contract.base, allowed)
                if rule.other_kind(contract.kind) == "raster":
                    yield None
            elif isinstance(other, OtherDataset):
                yield _published(other.dataset, partition, store)
        for areas in (rule.except_, rule.only_within):
            if areas is not None:
                yield _file_bytes(areas.uri, rule.base, allowed)


def _file_bytes(uri: str, base: Path, allowed: Sequence[str] | None) -> int | None:
    """Bytes of the files of a source; 0 for one that cannot be read, None for one elsewhere."""
    if is_database(uri) or is_remote(uri):
        return None
    resolved = resolve(uri, base, allowed)
    try:
        return sum(_unpacked(file) for file in resolved.files)
    except (OSError, SpatialPipelineError):
        return None


def _unpacked(file: Path) -> int:
    if not archive.is_zip(file):
        return file.stat().st_size
    with archive.opened(file) as members:
        return sum(member.file_size for member in members.infolist())


def _last_staged(dataset: str, partition: str | None, store: Store) -> int | None:
    try:
        return _in_memory(store.profile(store.staged_version(dataset, partition)), 0)
    except SpatialPipelineError:
        return None


def _published(dataset: str, partition: str | None, store: Store) -> int | None:
    """Bytes of another dataset as it is published; 0 when it is not."""
    try:
        for key in dict.fromkeys((partition, None)):
            publication = store.published(dataset, key)
            if publication is not None:
                version = Version(dataset, key, publication.version)
                staged = store.data_path(version).stat().st_size
                return _in_memory(store.profile(version), staged)
    except (OSError, SpatialPipelineError):
        return None
    return 0


def _in_memory(profile: Profile, staged: int) -> int:
    if isinstance(profile, RasterProfile):
        return profile.width * profile.height * profile.count * BYTES_A_VALUE
    return staged * UNPACKED


__all__ = ["work_bytes"]

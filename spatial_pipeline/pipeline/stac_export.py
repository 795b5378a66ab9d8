"""STAC items of versions in the store: to print, and beside every version that is published."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.pipeline.version_history import version_record
from spatial_pipeline.report.stac import VersionFile, stac_item
from spatial_pipeline.store.stac_items import recorded_sha256, remove_item, write_item
from spatial_pipeline.store.versions import Store

logger = logging.getLogger("spatial_pipeline")


def stac_item_of(store: Store, version: Version, store_url: str | None = None) -> dict[str, Any]:
    """The STAC item of a version; reads its file once, for the checksum.

    Args:
        store: the store that has the version.
        version: the version.
        store_url: address of the store for readers elsewhere; without it, the file on this machine
            is named.

    Raises:
        StoreError: the version has no data, because its source could not be read or it was pruned.

    """
    publication = store.published(version.dataset, version.partition)
    href = _href(store, store.data_path(version), store_url)
    return _item(store, version, publication, (href, None))


def keep_stac_item(store: Store, version: Version, publication: Publication) -> Publication:
    """Writes the STAC item of a version beside its data, and removes those of withdrawn versions.

    The address of the data is relative to the item, so both can be moved or served together. An
    item that cannot be written is a warning: the version is published in any case, and the next
    publication of the partition tries again.

    Args:
        store: the store that has the version.
        version: the version that was published.
        publication: the pointer after its publication, which is returned.

    """
    try:
        folder, data = store.path(version), store.data_path(version)
        if not data.is_file():
            # A contract that only warns of unreadable sources publishes them, too.
            return publication
        # The gate has just compared the bytes with those that the item was written of.
        known = recorded_sha256(folder, data)
        item = _item(store, version, publication, (f"./{data.name}", known))
        with store.lock(version.dataset, version.partition, "publish"):
            if store.published(version.dataset, version.partition) == publication:
                write_item(folder, item)
                for gone in publication.withdrawn:
                    remove_item(folder.with_name(gone))
    except (StoreError, OSError) as exc:
        logger.warning("%s is published, but its STAC item cannot be written: %s", version, exc)
    return publication


def _item(
    store: Store,
    version: Version,
    publication: Publication | None,
    described: tuple[str, str | None],
) -> dict[str, Any]:
    """The item with the address of the data and their digest, which is computed unless given."""
    record = version_record(store, version, publication)
    file = store.data_path(version)
    href, sha256 = described
    try:
        data = VersionFile(href, file.suffix, file.stat().st_size, sha256 or _sha256(file))
    except OSError as exc:
        msg = f"{version} has no file of data: {exc}"
        raise StoreError(msg) from exc
    times = (record.staged_at, record.published_at)
    return stac_item(version, store.profile(version), data, times, record.verdict)


def _href(store: Store, file: Path, store_url: str | None) -> str:
    if store_url is None:
        return file.absolute().as_uri()
    parts = file.relative_to(store.root).parts
    return "/".join([store_url.rstrip("/"), *(quote(part, safe="") for part in parts)])


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

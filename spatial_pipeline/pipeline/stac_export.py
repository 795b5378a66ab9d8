"""STAC items of versions in the store."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.version_history import version_record
from spatial_pipeline.report.stac import VersionFile, stac_item
from spatial_pipeline.store.versions import Store


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
    record = version_record(store, version, store.published(version.dataset, version.partition))
    file = store.data_path(version)
    try:
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        size = file.stat().st_size
    except OSError as exc:
        msg = f"{version} has no file of data: {exc}"
        raise StoreError(msg) from exc
    described = VersionFile(_href(store, file, store_url), file.suffix, size, sha256)
    times = (record.staged_at, record.published_at)
    return stac_item(version, store.profile(version), described, times, record.verdict)


def _href(store: Store, file: Path, store_url: str | None) -> str:
    if store_url is None:
        return file.absolute().as_uri()
    parts = file.relative_to(store.root).parts
    return "/".join([store_url.rstrip("/"), *(quote(part, safe="") for part in parts)])

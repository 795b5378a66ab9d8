"""STAC items beside published versions: where they are, and how they are written and removed.

Their content is that of :mod:`spatial_pipeline.report.stac`. They are notes for catalogues: neither
the gate nor a reader of this package asks them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_pipeline.runtime.hashing import MULTIHASH
from spatial_pipeline.store.files import kept_age, write_json

ITEM = "item.json"
_DIGEST = re.compile(rf"{MULTIHASH}[0-9a-f]{{64}}")


def read_item(folder: Path) -> dict[str, Any] | None:
    """The item of a version; None when there is none, or it is damaged.

    Args:
        folder: folder of the version.

    """
    try:
        value = json.loads((folder / ITEM).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_item(folder: Path, item: Mapping[str, Any]) -> None:
    """Writes the item of a version unless it is the same; the caller holds the lock "publish".

    Raises:
        OSError: the folder cannot be written.

    """
    if read_item(folder) != item:
        with kept_age(folder):
            write_json(folder / ITEM, item)


def remove_item(folder: Path) -> None:
    """Removes the item of a version, if there is one; the caller holds the lock "publish".

    Raises:
        OSError: the folder cannot be written.

    """
    if (folder / ITEM).exists():
        with kept_age(folder):
            (folder / ITEM).unlink()


def recorded_sha256(folder: Path, data: Path) -> str | None:
    """Digest of the data in the item of a version; None unless the item is about these data.

    Args:
        folder: folder of the version.
        data: its data file.

    """
    if not (folder / ITEM).exists() or item_problem(folder, data) is not None:
        return None
    found = (read_item(folder) or {})["assets"]["data"]["file:checksum"]
    return str(found).removeprefix(MULTIHASH)


def item_problem(folder: Path, data: Path) -> str | None:
    """Reason why the item of a version is not about it; None when it is, or when there is none.

    Args:
        folder: folder of the version.
        data: its data file.

    """
    if not (folder / ITEM).exists():
        return None
    try:
        item = read_item(folder) or {}
        named = item["properties"]["spatial_pipeline:version"]
        asset = item["assets"]["data"]
        size, checksum = asset["file:size"], asset["file:checksum"]
    except (KeyError, TypeError):
        return f"{ITEM} is damaged"
    if named != folder.name or size != data.stat().st_size or not _DIGEST.fullmatch(str(checksum)):
        return f"{ITEM} describes other data"
    return None

"""Digests of the data and profile of a version, and the seal of its verdict.

A verdict is about bytes. The digest of a version's data and profile stands in the profile since it
was staged and in the verdict since it was checked; whoever publishes compares it with the bytes
that are there. This finds damage and edits by hand. It is no defence against somebody who may write
to the store and computes the digests again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_pipeline.runtime.json_text import json_text

CONTENT, SEAL = "content", "seal"
DATA = ("data.parquet", "data.tif")


def content_of(folder: Path, profile: Mapping[str, Any]) -> str:
    """SHA-256 over the data files of a version and its profile, as hex digits.

    Args:
        folder: folder of the version.
        profile: the profile as JSON, its own digest left out.

    Raises:
        OSError: a data file cannot be read.

    """
    files = {}
    for name in DATA:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                files[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return _digest({"files": files, "profile": _without(profile, CONTENT)})


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with a digest of all its members."""
    return {**value, SEAL: _digest(_without(value, SEAL))}


def is_sealed(value: Mapping[str, Any]) -> bool:
    """True when no member of the object was changed since it was sealed."""
    return value.get(SEAL) == _digest(_without(value, SEAL))


def _without(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k != name}


def _digest(value: Mapping[str, Any]) -> str:
    # By way of its text, so that a value has the digest of what is read back.
    text = json_text(json.loads(json_text(value)), sort_keys=True, compact=True)
    return hashlib.sha256(text.encode()).hexdigest()

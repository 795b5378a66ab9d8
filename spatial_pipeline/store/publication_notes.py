"""Notes beside versions that tell when each was published and withdrawn.

The pointer says what readers see. The notes say the same, spread over the folders of the versions,
and are read only where the pointer and its copy are both lost or damaged.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spatial_pipeline.model.version import Publication
from spatial_pipeline.store.files import kept_age, write_json
from spatial_pipeline.store.seals import SEAL, is_sealed, sealed

NOTE = "publication.json"


def write_notes(folder: Path, publication: Publication) -> None:
    """Brings the notes up to a publication, before the pointer says the same.

    Versions that an earlier release published get theirs, too; versions that are gone get none.

    Args:
        folder: folder of the partition.
        publication: what readers are about to see.

    Raises:
        OSError: the folder cannot be written.

    """
    number = publication.number
    withdrawn = set(publication.withdrawn)
    for ago, version in enumerate((publication.version, *publication.history)):
        before = _note(folder / version)
        after: dict[str, Any] = {"number": number - ago, "withdrawn": version in withdrawn}
        if before is not None and version != publication.version:
            after = before | {"withdrawn": version in withdrawn}
        if version == publication.version:
            after["contract_hash"] = publication.contract_hash
            after["published_at"] = publication.published_at
        if after != before and (folder / version).is_dir():
            with kept_age(folder / version):
                write_json(folder / version / NOTE, sealed(after))


def recovered(folder: Path) -> Publication | None:
    """The publication that the notes tell of; None when there are none, or they do not suffice.

    Args:
        folder: folder of the partition.

    """
    found = {p.parent.name: _note(p.parent) for p in folder.glob(f"*/{NOTE}")}
    known = {v: note for v, note in found.items() if note is not None}
    ordered = sorted(known, key=lambda v: known[v]["number"], reverse=True)
    if not ordered or len(known) < len(found):
        return None
    version, *history = ordered
    last = known[version]
    if not {"contract_hash", "published_at"} <= last.keys():
        return None
    return Publication(
        version=version,
        contract_hash=last["contract_hash"],
        published_at=last["published_at"],
        history=tuple(history),
        withdrawn=tuple(sorted(v for v in ordered if known[v]["withdrawn"])),
        number=last["number"],
    )


def _note(folder: Path) -> dict[str, Any] | None:
    """The note beside a version; None when there is none, or it is damaged."""
    try:
        value = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not is_sealed(value):
        return None
    return {k: v for k, v in value.items() if k != SEAL}


def published_times(folder: Path) -> dict[str, str]:
    """Time of the last publication of each version that has a note, ISO 8601 in UTC.

    Args:
        folder: folder of the partition.

    """
    found = {p.parent.name: _note(p.parent) for p in folder.glob(f"*/{NOTE}")}
    return {v: n["published_at"] for v, n in found.items() if n is not None and "published_at" in n}

"""The published pointer in the store: one file that readers follow, and its copy.

The copy is written before the file. A file that is lost or damaged is read from the copy, which
names what the gate let out last, and which versions a rollback took back. Where both are damaged,
the notes beside the versions tell the same.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Publication
from spatial_pipeline.store.files import write_json
from spatial_pipeline.store.publication_notes import recovered, write_notes

logger = logging.getLogger("spatial_pipeline")
FILE = "published.json"
COPY = ".published.json"
DAMAGE = (OSError, ValueError, TypeError, KeyError, RecursionError, StoreError)
"""Exceptions that reading a damaged pointer raises."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def checked_id(text: object) -> str:
    """The id of a version, which is the name of one folder.

    Raises:
        StoreError: it is none, or would lead out of the store.

    """
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        msg = f"{str(text)[:100]!r} is not a version ID: letters, digits, '_', '-' and '.' only"
        raise StoreError(msg)
    return text


def read_pointer(folder: Path, name: str) -> Publication | None:
    """The publication of a partition; None when nothing is published.

    Args:
        folder: folder of the partition.
        name: the dataset, for messages.

    Raises:
        StoreError: the file is damaged, so is its copy or there is none, and the notes beside the
            versions do not suffice.

    """
    try:
        found = read_file(folder / FILE)
        if found is not None:
            return found
        problem = f"{name}: {FILE} is missing"
    except DAMAGE as exc:
        problem = f"{name}: {FILE} cannot be read: {exc}"
    try:
        copy = read_file(folder / COPY)
    except DAMAGE as exc:
        problem = f"{problem}; nor can its copy: {exc}"
        copy = None
    if copy is not None:
        logger.warning("%s: its copy is read until it is published again", problem)
        return copy
    found = recovered(folder)
    if found is not None:
        logger.warning(
            "%s: notes beside the versions are read until it is published again", problem
        )
        return found
    if problem.endswith("missing"):
        return None
    msg = f"{problem}: publish it again"
    raise StoreError(msg)


def write_pointer(folder: Path, publication: Publication) -> None:
    """Makes readers see another version, in one rename.

    The folder of the former version gets the time of the switch: its age counts from there.

    Raises:
        OSError: the folder cannot be written.

    """
    with contextlib.suppress(*DAMAGE):
        former = read_file(folder / FILE)
        if former is not None and former.version != publication.version:
            os.utime(folder / former.version)
    # In this order: a copy that is ahead names what the gate let out, one that is behind would
    # bring a withdrawn version back.
    write_notes(folder, publication)
    write_json(folder / COPY, asdict(publication))
    write_json(folder / FILE, asdict(publication))


def mend_pointer(folder: Path, name: str) -> None:
    """Makes file and copy whole again, from each other or the notes; the caller holds the lock.

    Where none of them tells, the damaged file is put aside, so that the next publication can go
    on; it does not know then what a rollback withdrew.

    Raises:
        OSError: the folder cannot be written.

    """
    try:
        found = read_pointer(folder, name)
    except StoreError as exc:
        aside = folder / f"{FILE}.damaged"
        logger.warning("%s; put aside as %s: withdrawn versions are not known", exc, aside.name)
        (folder / FILE).replace(aside)
        (folder / COPY).unlink(missing_ok=True)
        return
    if found is None:
        return
    # A version that was staged again lost its note.
    write_notes(folder, found)
    for path in (folder / COPY, folder / FILE):
        if not _holds(path, found):
            write_json(path, asdict(found))


def _holds(path: Path, publication: Publication) -> bool:
    try:
        return read_file(path) == publication
    except DAMAGE:
        return False


def read_file(path: Path) -> Publication | None:
    """The pointer of one file, None when it is missing; members of later releases are left out.

    Raises:
        OSError, ValueError, TypeError, KeyError, StoreError: it is damaged.

    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        msg = "it holds no object"
        raise StoreError(msg)
    known: dict[str, Any] = {f.name: value[f.name] for f in fields(Publication) if f.name in value}
    for many in ("history", "withdrawn"):
        if not isinstance(known.get(many, []), list):
            msg = f"{many} is not a list"
            raise StoreError(msg)
        known[many] = tuple(checked_id(v) for v in known.get(many, []))
    checked_id(known.get("version"))
    for text in ("contract_hash", "published_at"):
        if not isinstance(known[text], str):
            msg = f"{text} is not text"
            raise StoreError(msg)
    if type(known.get("number", 0)) is not int:
        msg = "number is not a whole number"
        raise StoreError(msg)
    return Publication(**known)

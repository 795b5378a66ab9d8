"""Schemas in the store: what a person accepted, and how a version differs from the published."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.schema_diff import (
    SchemaApproval,
    SchemaChange,
    SchemaEvidence,
    schema_change,
    schema_of,
)
from spatial_pipeline.store.contents import column_contents
from spatial_pipeline.store.files import write_json

ACCEPTED = "accepted.json"


def read_acceptances(path: Path) -> list[SchemaApproval]:
    """The acceptances of one file; none when it is missing.

    Raises:
        StoreError: it is damaged.

    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return [SchemaApproval(**a) for a in value["schemas"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        msg = f"{path} is damaged ({exc!r}): accept the schema again"
        raise StoreError(msg) from exc


def add_acceptance(path: Path, acceptance: SchemaApproval) -> None:
    """Adds an acceptance to a file; what a damaged file accepted is lost.

    Raises:
        OSError: the file cannot be written.

    """
    known: list[SchemaApproval] = []
    with contextlib.suppress(StoreError):
        known = read_acceptances(path)
    others = [asdict(a) for a in known if a.schema != acceptance.schema]
    write_json(path, {"schemas": [*others, asdict(acceptance)]})


def evidence(
    profile: Profile,
    data: Path,
    reference: tuple[str, Profile, Path],
    accepted: list[SchemaApproval],
) -> SchemaEvidence:
    """Compare the schema of a version with that of a published one.

    Args:
        profile: of the version.
        data: data file of the version.
        reference: name, profile and data file of the published version.
        accepted: schemas that a person accepted.

    """
    name, known, known_data = reference
    schema, before = schema_of(profile), schema_of(known)
    change = SchemaChange()
    if schema != before:
        change = schema_change(before, schema, column_contents(known_data), column_contents(data))
    return SchemaEvidence(
        change=change,
        fingerprint=schema.fingerprint,
        reference=name,
        accepted=any(a.schema == schema.fingerprint for a in accepted),
    )

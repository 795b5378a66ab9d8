"""Files of accepted violations (areas, baseline) of a rule, and a hash of their content.

The gate compares the rule of today with the one that was judged. What is accepted is part of the
rule, so the bytes of its files are part of the rule's hash, read again each time it is computed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

MISSING = "missing"
SEVERAL = frozenset({".shp", ".tab", ".mif", ".gml", ".csv"})


class Areas(BaseModel):
    """File of polygons. Violations inside them are accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(min_length=1, description="Path, relative to the contract file.")
    layer: str | None = Field(None, description="Layer, if the file has several.")

    @field_validator("uri")
    @classmethod
    def _is_file(cls, value: str) -> str:
        if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+:", value) or ".zip!" in value:
            msg = "accepted areas must be a file, so that changes to it are noticed"
            raise ValueError(msg)
        return value


def content_of(path: Path) -> str:
    """SHA-256 over a file, or over all files of a format that has several beside each other."""
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
        else:
            digest.update(path.read_bytes())
            several = path.suffix.lower() in SEVERAL
            beside = path.parent.glob(f"{_escaped(path.stem)}.*") if several else ()
            files = sorted(p for p in beside if p != path and p.is_file())
        for file in files:
            digest.update(f"\0{file.name}\0".encode(errors="surrogateescape"))
            digest.update(file.read_bytes())
    except OSError:
        return MISSING
    return digest.hexdigest()


def _escaped(stem: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", stem)

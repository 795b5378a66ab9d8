"""Hashing of values: SHA-256 over their canonical JSON."""

from __future__ import annotations

import hashlib
from typing import Any

from spatial_pipeline.runtime.json_text import json_text

MULTIHASH = "1220"
"""Multihash prefix of a SHA-256 digest of 32 bytes, in hexadecimal."""


def fingerprint(*parts: Any) -> str:
    """First 20 hex digits of the SHA-256 over the canonical JSON of the parts."""
    text = json_text(parts, sort_keys=True, compact=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]

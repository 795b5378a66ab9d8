"""Validation of ``layer`` for sources whose format has no layers."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationInfo

WITHOUT_LAYERS = (
    "png", "jpg", "jpeg", "gif", "bmp", "webp", "asc", "jp2", "img", "bil", "bip", "bsq", "flt",
    "hgt", "dem", "dt0", "dt1", "dt2", "xyz",
)  # fmt: skip
"""Endings of files that hold one raster and no other."""
PATTERN = (
    rf"\.({'|'.join(''.join(f'[{c}{c.upper()}]' for c in e) for e in WITHOUT_LAYERS)})(\?.*)?$"
)


def layer_of(value: str | None, info: ValidationInfo) -> str | None:
    """Validates a layer that follows the uri in its model.

    Raises:
        ValueError: a file with the ending of the uri has no layers.

    """
    found = re.search(PATTERN, str(info.data.get("uri", "")))
    if value is not None and found:
        msg = f"leave it out: a .{found[1].lower()} file has no layers"
        raise ValueError(msg)
    return value


def without_layer(schema: dict[str, Any]) -> None:
    """Adds the same to the JSON schema of the model."""
    schema["not"] = {
        "required": ["uri", "layer"],
        "properties": {"uri": {"pattern": PATTERN}, "layer": {"type": "string"}},
    }

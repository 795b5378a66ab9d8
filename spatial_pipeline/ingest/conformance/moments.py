"""Times in the tables of a GeoPackage: ISO 8601 in UTC, as its column type DATETIME has them."""

from __future__ import annotations

import re
from datetime import datetime

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def is_moment(value: object) -> bool:
    """True for a text like 2024-02-29T12:30:00.000Z of a time that there was."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True

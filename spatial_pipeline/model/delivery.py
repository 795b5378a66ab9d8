"""Contents of the folder or archive that a source came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Delivery:
    """Files that a source was delivered with.

    Attributes:
        files: names, relative to the source's folder or to the root of its archive, sorted.
        partition: partition key of the version.
        error: reason why they cannot be listed; ``files`` is empty then.

    """

    files: tuple[str, ...] = ()
    partition: str | None = None
    error: str | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The delivery that ``dataclasses.asdict`` gave."""
        return cls(**{**value, "files": tuple(value["files"])})

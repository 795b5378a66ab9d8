"""Limits of a worker: memory, time, bytes of a file, open files."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from spatial_pipeline.ingest.formats.options import PIXELS_PER_BYTE
from spatial_pipeline.runtime.memory import memory_available

Mode = Literal["auto", "require", "basic"]


@dataclass(frozen=True)
class CageLimits:
    """Mode and limits of the child process that reads foreign files.

    Attributes:
        mode: ``auto`` uses Landlock where the kernel has it, ``require`` reads nothing without it,
            ``basic`` does without.
        memory: bytes of memory of one worker.
        wall_s: seconds that reading one source may take.
        cpu_s: seconds of processor time of one source.
        file_bytes: largest file that a worker may write.
        open_files: most files open at once.
        pixels_per_byte: most pixels that a raster may declare for each byte of its files.

    """

    mode: Mode = "auto"
    memory: int = field(default_factory=lambda: memory_available() * 3 // 4)
    wall_s: float = 4 * 3600.0
    cpu_s: int = 8 * 3600
    file_bytes: int = 1 << 40
    open_files: int = 4096
    pixels_per_byte: int = PIXELS_PER_BYTE

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The limits that :meth:`to_json` wrote."""
        return cls(**value)

    def apply(self) -> None:
        """Sets those limits of this process that the system keeps; memory is watched from outside.

        Limits that are lower already stay.
        """
        for kind, limit in (
            (resource.RLIMIT_CPU, self.cpu_s),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(kind)
            most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(kind, (most, most))


DEFAULTS = CageLimits()

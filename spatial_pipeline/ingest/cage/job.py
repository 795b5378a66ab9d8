"""A job for the cage: one source to stage, as JSON can carry it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.ingest.cage.limits import CageLimits
from spatial_pipeline.ingest.formats.options import ReadOptions
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.sources.local import SourceFiles


@dataclass(frozen=True)
class ReadJob:
    """One source to stage.

    Attributes:
        kind: kind of dataset that the contract says.
        source: the source, its files resolved and admitted.
        options: how to read it.
        folder: existing folder that takes the staged files; absolute.
        limits: bounds of the worker.

    """

    kind: Kind
    source: SourceFiles
    options: ReadOptions
    folder: str
    limits: CageLimits

    @property
    def readable(self) -> list[str]:
        """Files and folders that the worker may read beside libraries."""
        return [str(f) for f in self.source.files]

    def staged(self, progress: Callable[[int, int | None], None] | None) -> Profile:
        """Stages the source in this process; see ``ingest.vector`` and ``ingest.raster``."""
        from spatial_pipeline.ingest.files import stage_files

        return stage_files(self.kind, self.options, self.source, Path(self.folder), progress)

    def failed(self, error: str) -> Profile:
        """Stages that the source cannot be read, in this process."""
        from spatial_pipeline.ingest.files import stage_files

        source = SourceFiles(uri=self.source.uri, path="", error=error)
        return stage_files(self.kind, self.options, source, Path(self.folder))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        source = self.source
        return {
            "kind": self.kind,
            "source": {
                "uri": source.uri,
                "path": source.path,
                "files": [str(f) for f in source.files],
                "member": source.member,
                "error": source.error,
            },
            "options": asdict(self.options),
            "folder": self.folder,
            "limits": self.limits.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The job that :meth:`to_json` wrote."""
        source = value["source"]
        return cls(
            kind=value["kind"],
            source=SourceFiles(
                uri=source["uri"],
                path=source["path"],
                files=tuple(map(Path, source["files"])),
                member=source["member"],
                error=source["error"],
            ),
            options=ReadOptions(**value["options"]),
            folder=value["folder"],
            limits=CageLimits.from_json(value["limits"]),
        )

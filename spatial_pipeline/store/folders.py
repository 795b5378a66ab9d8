"""Paths in the store: folders of datasets, partitions and versions, and listings of them.

The content of a version does not belong here.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.store.locks import TIMEOUT_S
from spatial_pipeline.store.pointer import COPY, FILE, checked_id


class Folders:
    """The folders of a store.

    Args:
        root: the folder of the store.
        lock_timeout_s: longest wait for what another process is doing to a partition.

    Raises:
        StoreError: the root is an address of an object store.

    """

    def __init__(self, root: Path, lock_timeout_s: float = TIMEOUT_S) -> None:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(root)):
            msg = f"SPATIAL_STORE={root}: only folders are supported so far"
            raise StoreError(msg)
        self.root = root.absolute()
        self.lock_timeout_s = lock_timeout_s

    def folder(self, dataset: str, partition: str | None) -> Path:
        """Folder of one partition of a dataset.

        Raises:
            StoreError: the dataset's name would lead out of the store.

        """
        if dataset in {"", ".", ".."} or "/" in dataset or "\0" in dataset:
            msg = f"{dataset!r} is not a dataset name"
            raise StoreError(msg)
        return self.root / dataset / ("-" if partition is None else _segment(partition))

    def path(self, version: Version) -> Path:
        """Folder of a version.

        Raises:
            StoreError: its id would lead out of the store.

        """
        return self.folder(version.dataset, version.partition) / checked_id(version.id)

    def versions(self, dataset: str, partition: str | None) -> list[Version]:
        """Staged versions, latest first."""
        folder = self.folder(dataset, partition)
        if not folder.is_dir():
            return []
        found = [p for p in folder.iterdir() if (p / "profile.json").is_file()]
        found = [p for p in found if not p.name.startswith(".")]
        found.sort(key=lambda p: (p / "profile.json").stat().st_mtime_ns, reverse=True)
        return [Version(dataset, partition, p.name) for p in found]

    def datasets(self) -> list[str]:
        """Datasets of which something was staged."""
        found = {p.parents[1].name for p in self.root.glob("*/*/staged.json")}
        return sorted(name for name in found if not name.startswith("."))

    def staged_at(self, version: Version) -> float:
        """When a version was staged first, in POSIX seconds."""
        return (self.path(version) / "profile.json").stat().st_mtime

    def partitions(self, dataset: str) -> list[str | None]:
        """Partitions that have a published version."""
        return self._having(dataset, FILE, COPY)

    def staged_partitions(self, dataset: str) -> list[str | None]:
        """Partitions that have a staged version."""
        return self._having(dataset, "staged.json")

    def partition_folders(self, dataset: str) -> list[str | None]:
        """Partitions that have a folder."""
        found = sorted(p.name for p in (self.root / dataset).iterdir() if p.is_dir())
        return [None if n == "-" else _unsegment(n) for n in found if not n.startswith(".")]

    def _having(self, dataset: str, *pointers: str) -> list[str | None]:
        folder = self.root / dataset
        found = sorted({p.parent.name for n in pointers for p in folder.glob(f"*/{n}")})
        return [None if name == "-" else _unsegment(name) for name in found]


def _segment(partition: str) -> str:
    """A partition key as one folder name, whatever characters it has."""
    segment = quote(partition, safe="")
    if segment in {"", ".", "..", "-"}:
        segment = "".join(f"%{b:02X}" for b in partition.encode()) or "%"
    return segment


def _unsegment(segment: str) -> str:
    return "" if segment == "%" else unquote(segment)

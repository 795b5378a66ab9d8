"""Runs of violations as Arrow IPC files in a folder that goes with the last of them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.runtime.json_text import json_text
from spatial_pipeline.runtime.temporary import PREFIX as TEMPORARY
from spatial_pipeline.runtime.temporary import TemporaryFolder

PREFIX = f"{TEMPORARY}violations-"
BLOCK = 1024
"""Findings a record batch: what is read at once at least."""


@dataclass(frozen=True, eq=False)
class FileRun:
    """A run in a file; see :class:`spatial_pipeline.model.violation_runs.FindingsRun`."""

    path: Path
    size: int
    unit: str
    first: NDArray[np.int64]
    block: int = BLOCK
    folder: TemporaryFolder | None = None

    def __len__(self) -> int:
        return self.size

    def read(self, low: int | None, high: int | None) -> tuple[Violations, NDArray[np.int64]]:
        """See :class:`spatial_pipeline.model.violation_runs.FindingsRun`."""
        # A block may begin in the middle of a row's violations: the one before is looked at, too.
        begin = 0 if low is None else max(int(np.searchsorted(self.first, low)) - 1, 0)
        end = len(self.first) if high is None else int(np.searchsorted(self.first, high))
        if begin >= end:
            return Violations.none(), np.empty(0, np.int64)
        with pa.memory_map(str(self.path)) as source, pa.ipc.open_file(source) as file:
            kept = [_between(file.get_batch(i), low, high) for i in range(begin, end)]
            # One batch, as most of the work is by call; it is a copy, for the file is unmapped.
            whole = pa.concat_batches(kept)
        return self._violations(whole)

    def _violations(self, batch: pa.RecordBatch) -> tuple[Violations, NDArray[np.int64]]:
        column = {n: batch.column(n) for n in batch.schema.names}

        def numbers(name: str) -> NDArray[Any]:
            return np.array(column[name].to_numpy(zero_copy_only=False))

        width = column["rows"].type.list_size
        rows = np.array(column["rows"].flatten().to_numpy()).reshape(-1, width)
        wkb = np.asarray(column["geometry"].to_pylist(), dtype=object)
        found = Violations.build(
            rows,
            [r.decode("utf-8", "surrogatepass") for r in column["reason"].to_pylist()],
            shapely.from_wkb(wkb),
            numbers("measure"),
            self.unit,
            numbers("part"),
            numbers("ring"),
            numbers("vertex"),
            [tuple(map(tuple, json.loads(k))) for k in column["keys"].to_pylist()],
        )
        return found, numbers("piece")


def _between(batch: pa.RecordBatch, low: int | None, high: int | None) -> pa.RecordBatch:
    """The violations of a block whose first row is in [low, high): they are in its order."""
    rows = batch.column("rows")
    first = rows.flatten().to_numpy()[:: rows.type.list_size]
    begin = 0 if low is None else int(np.searchsorted(first, low))
    end = len(first) if high is None else int(np.searchsorted(first, high))
    return batch.slice(begin, end - begin)


class ViolationFolder:
    """Writes runs into a temporary folder: a ``ViolationSink``.

    The folder is made when something is written. It is removed when neither this object nor a run
    is held any more, or at :meth:`close`.

    Attributes:
        limit: bytes of violations that may stay in memory.

    """

    def __init__(self, limit: int, parent: Path | None = None) -> None:
        self.limit = limit
        self._parent = parent
        self._folder: TemporaryFolder | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Removes what was written."""
        if self._folder is not None:
            self._folder.remove()

    def _opened(self) -> TemporaryFolder:
        with self._lock:
            if self._folder is None:
                self._folder = TemporaryFolder(self._parent, PREFIX)
            return self._folder

    def write(self, violations: Violations, pieces: NDArray[np.int64]) -> FileRun:
        """See :class:`spatial_pipeline.model.violation_runs.FindingsSink`."""
        order = violations.order()
        violations, pieces = violations.take(order), pieces[order]
        keys = violations.keys if violations.keys is not None else [()] * len(violations)
        width = violations.rows.shape[1]
        batch = pa.record_batch(
            {
                "rows": pa.FixedSizeListArray.from_arrays(
                    pa.array(np.ascontiguousarray(violations.rows).ravel()), width
                ),
                "reason": pa.array(
                    [str(r).encode("utf-8", "surrogatepass") for r in violations.reasons],
                    pa.binary(),
                ),
                "geometry": pa.array(
                    shapely.to_wkb(violations.geometry, flavor="iso").tolist(), pa.binary()
                ),
                "measure": pa.array(violations.measure),
                "part": pa.array(violations.part),
                "ring": pa.array(violations.ring),
                "vertex": pa.array(violations.vertex),
                "keys": pa.array([json_text(k) for k in keys], pa.string()),
                "piece": pa.array(pieces),
            }
        )
        folder = self._opened()
        path = folder.path / f"{uuid4().hex}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            for begin in range(0, len(violations), BLOCK):
                writer.write_batch(batch.slice(begin, BLOCK))
        first = violations.rows[::BLOCK, 0].copy()
        return FileRun(path, len(violations), violations.unit, first, folder=folder)


@contextlib.contextmanager
def spilling(limit: int) -> Iterator[ViolationFolder]:
    """A folder for violations that survives the block with them, unless the block fails."""
    folder = ViolationFolder(limit)
    try:
        yield folder
    except BaseException:
        folder.close()
        raise


__all__ = ["FileRun", "ViolationFolder", "spilling"]

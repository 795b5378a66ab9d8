"""Record batches kept in memory, or on disk when they are too many, and given back in any order.

The order is known only when everything was read. Rows are then distributed to buckets that are
consecutive in the order and fit into memory, so that memory does not grow with the data.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MEMORY_BYTES = 128 << 20
"""Up to this size batches stay in memory."""
BUCKET_BYTES = 64 << 20
MAX_BUCKETS = 256
"""Open files at a time."""


class ExternalSortBuffer:
    """Batches of one schema in the order of their arrival; use it as a context manager.

    Args:
        schema: schema of the batches.
        folder: where the temporary folder is made; the folder of an unfinished version is swept
            by the store when a run was killed.
        memory: bytes kept in memory before anything is written.
        bucket: bytes of a bucket.

    """

    def __init__(
        self,
        schema: pa.Schema,
        folder: Path,
        memory: int = MEMORY_BYTES,
        bucket: int = BUCKET_BYTES,
    ) -> None:
        self.schema = schema
        self._parent = folder
        self._memory = memory
        self._bucket = bucket
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._folder: Path | None = None
        self._sink: _Sink | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sink is not None:
            self._sink.abandon()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def append(self, batch: pa.RecordBatch) -> None:
        """Adds a batch behind the others.

        Raises:
            OSError: the disk is full or not writable.

        """
        if self._sink is not None:
            self._sink.write(batch)
            return
        self._held.append(batch)
        self._held_bytes += batch.nbytes
        if self._held_bytes > self._memory:
            self._folder = Path(tempfile.mkdtemp(prefix=".spool-", dir=self._parent))
            self._sink = _Sink(self._folder / "all", self.schema)
            for held in self._held:
                self._sink.write(held)
            self._held.clear()

    def ordered(
        self, order: NDArray[np.int64], groups: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> Iterator[pa.Table]:
        """The groups of rows, each in the order asked for.

        Args:
            order: (n,) arrival numbers of the rows in the order asked for.
            groups: (g + 1,) positions in ``order`` at which groups begin, and n.
            sizes: (g,) bytes of the groups.

        Yields:
            g tables.

        """
        if self._sink is None:
            everything = pa.Table.from_batches(self._held, schema=self.schema)
            self._held.clear()
            for start, stop in itertools.pairwise(groups):
                yield everything.take(pa.array(order[start:stop]))
            return
        self._sink.close()
        firsts = bucket_starts(sizes, max(self._bucket, int(sizes.sum()) // MAX_BUCKETS + 1))
        edges = groups[[*firsts, len(sizes)]]
        files = self._distribute(order, edges)
        for i, file in enumerate(files):
            begin, end = int(edges[i]), int(edges[i + 1])
            # Rows arrive in a bucket in the order of their numbers.
            place = np.argsort(np.argsort(order[begin:end], kind="stable"), kind="stable")
            with pa.OSFile(str(file)) as opened:
                rows = pa.ipc.open_stream(opened).read_all()
            file.unlink()
            last = firsts[i + 1] if i + 1 < len(firsts) else len(sizes)
            for group in range(firsts[i], last):
                start, stop = int(groups[group]) - begin, int(groups[group + 1]) - begin
                yield rows.take(pa.array(place[start:stop]))

    def _distribute(self, order: NDArray[np.int64], edges: NDArray[np.int64]) -> list[Path]:
        """Writes every row to its bucket."""
        folder = self._folder
        if folder is None:
            return []
        bucket_of = np.empty(len(order), dtype=np.int32)
        for i, (start, stop) in enumerate(itertools.pairwise(edges)):
            bucket_of[order[start:stop]] = i
        sinks = [_Sink(folder / f"bucket-{i}", self.schema) for i in range(len(edges) - 1)]
        try:
            seen = 0
            with pa.OSFile(str(folder / "all")) as opened:
                for batch in pa.ipc.open_stream(opened):
                    mine = bucket_of[seen : seen + batch.num_rows]
                    seen += batch.num_rows
                    by_bucket = np.argsort(mine, kind="stable")
                    cuts = np.searchsorted(mine[by_bucket], np.arange(len(sinks) + 1))
                    sorted_rows = batch.take(pa.array(by_bucket))
                    for k in np.flatnonzero(np.diff(cuts)).tolist():
                        sinks[k].write(sorted_rows.slice(cuts[k], cuts[k + 1] - cuts[k]))
        except BaseException:
            for sink in sinks:
                sink.abandon()
            raise
        for sink in sinks:
            sink.close()
        (folder / "all").unlink()
        return [sink.path for sink in sinks]


class _Sink:
    """One Arrow stream file that is being written."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        if not self._file.closed:
            self._writer.close()
            self._file.close()

    def abandon(self) -> None:
        if not self._file.closed:
            self._file.close()


def bucket_starts(sizes: Sequence[int] | NDArray[np.int64], limit: int) -> list[int]:
    """First members of runs of ``sizes`` whose sums stay within ``limit`` where one can."""
    ends = np.cumsum(np.asarray(sizes, dtype=np.int64))
    starts: list[int] = []
    at: int = 0
    while at < len(ends):
        starts.append(at)
        before = int(ends[at - 1]) if at else 0
        at = max(at + 1, int(np.searchsorted(ends, before + limit, side="right")))
    return starts

"""The binary COPY stream of staged features."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.publish.postgis.binary import SIGNATURE, TRAILER, Digest, Encoder
from spatial_pipeline.publish.postgis.parts import TablePart

CHUNK = 1 << 20
"""Bytes handed to the connection at once."""


@dataclass
class Sent:
    """Digest of what was sent so far, and how many geometries were promoted to Multi types."""

    digest: Digest = field(default_factory=Digest)
    promoted: int = 0


async def rows(data: VectorReader, part: TablePart, sent: Sent) -> AsyncGenerator[bytes]:
    """The binary COPY stream of staged features; one batch is sent while the next is encoded."""
    layout = part.layout
    srid = None if layout.geometry is None else part.srid
    encoder = Encoder(layout.types, srid, multi=part.multi)
    following: asyncio.Task[tuple[pa.Buffer, Digest]] | None = None

    def encode(index: int) -> tuple[pa.Buffer, Digest]:
        return encoder.encode(_selected(data, index, layout.names))

    try:
        yield SIGNATURE
        for index in range(data.batch_count()):
            if following is None:
                following = asyncio.create_task(asyncio.to_thread(encode, index))
            # Shielded, because a thread goes on when its waiter is cancelled.
            buffer, digest = await asyncio.shield(following)
            following = None
            if index + 1 < data.batch_count():
                following = asyncio.create_task(asyncio.to_thread(encode, index + 1))
            sent.digest += digest
            view = memoryview(buffer)
            for start in range(0, len(view), CHUNK):
                yield view[start : start + CHUNK].tobytes()
        yield TRAILER
    finally:
        if following is not None:
            await asyncio.wait([following])
        sent.promoted = encoder.promoted
        encoder.close()


def _selected(data: VectorReader, index: int, names: Sequence[str]) -> FeatureBatch:
    """A batch with its columns in the order of the names, which a file need not keep."""
    batch = data.batch(index, names)
    return replace(batch, table=batch.table.select(list(names)))

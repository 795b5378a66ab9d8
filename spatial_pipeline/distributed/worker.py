"""Code that runs on a Dask worker: its open jobs, and the evaluation of their pieces."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import pickle
import platform
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pyproj
import shapely

from spatial_pipeline.check.engine.remote import Bench, Elapsed, RemoteJob, Window
from spatial_pipeline.contract.custom import custom_code
from spatial_pipeline.errors import ClusterError
from spatial_pipeline.runtime.malloc import keep_arrays
from spatial_pipeline.runtime.workers import Workers

READY = True
"""Looked up to test whether this package can be loaded on a worker."""
KEPT = 4
"""Jobs that a worker keeps open; more while pieces of more jobs are in flight."""
FORGOTTEN = 256
"""Jobs that are remembered as closed."""
CODE = ("check", "contract/rules", "model", "store/staged.py")
"""Parts of this package on which answers depend."""

Versions = dict[str, str]


@cache
def versions() -> Versions:
    """Versions that must be equal on all machines for their answers to be equal."""
    import rasterio

    return {"GDAL": rasterio.__gdal_version__, **feature_versions()}


@cache
def feature_versions() -> Versions:
    """Versions on which answers about features depend.

    GDAL reads features before they are staged and decodes pixels; a check of features, which would
    load it for its number only, does not use it.
    """
    found = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "GEOS": shapely.geos_version_string,
        "PROJ": pyproj.proj_version_str,
    }
    for name in ("spatial_pipeline", "duckdb", "numpy", "pyarrow", "pyproj", "rasterio", "shapely"):
        found[name] = version(name)
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in CODE:
        path = package / part
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        if not files:
            msg = f"{part} is part of the code digest, and not there"
            raise ClusterError(msg)
        for file in files:
            digest.update(file.relative_to(package).as_posix().encode())
            digest.update(file.read_bytes())
    found["code of spatial_pipeline"] = digest.hexdigest()[:12]
    return {**found, **{f"code of {name}": code for name, code in custom_code().items()}}


@dataclass(frozen=True)
class JobOrder:
    """A job and the versions of the machine that requests it."""

    needs: Versions
    job: RemoteJob


@dataclass
class _Open:
    """A job on this worker."""

    workers: Workers
    bench: asyncio.Task[Bench]
    under_way: int = 0

    async def close(self) -> None:
        """Stops its threads and waits for them."""
        with contextlib.suppress(ClusterError):
            (await asyncio.shield(self.bench)).stop()
        await self.workers.__aexit__()


@dataclass
class _Kept:
    """The jobs of one worker."""

    opened: OrderedDict[str, _Open] = field(default_factory=OrderedDict)
    over: deque[str] = field(default_factory=lambda: deque(maxlen=FORGOTTEN))


_KEPT: WeakKeyDictionary[Any, _Kept] = WeakKeyDictionary()


@dataclass(frozen=True)
class PieceAddress:
    """Address of the piece that a question is about.

    Attributes:
        index: index of the piece.
        window: pixel window of the piece; rasters only.

    """

    index: int
    window: Window | None = None


async def evaluate_places(
    order: bytes, identity: str, asked: Sequence[tuple[PieceAddress, Elapsed]]
) -> tuple[list[bytes], float]:
    """Evaluates the rules of a job on some pieces, one after the other.

    Runs on the worker's loop and threads.

    Args:
        order: a pickled :class:`JobOrder`; opened once per worker.
        identity: id of the job.
        asked: the pieces; each with its ``check.engine.remote.Elapsed`` at the time of sending.

    Returns:
        The pickled answers for each piece, and the total seconds.

    Raises:
        ClusterError: the job is over, or this worker cannot open it.

    """
    from distributed import get_worker

    worker = get_worker()
    kept = _KEPT.setdefault(worker, _Kept())
    if identity in kept.over:
        msg = "the check is over"
        raise ClusterError(msg)
    if identity not in kept.opened:
        keep_arrays()
        workers = Workers(worker.state.nthreads)
        opening = asyncio.create_task(_opened(order, workers, worker.address))
        kept.opened[identity] = _Open(workers, opening)
    opened = kept.opened[identity]
    kept.opened.move_to_end(identity)
    opened.under_way += 1
    try:
        bench = await asyncio.shield(opened.bench)
        begun = time.perf_counter()
        blobs = await _evaluated(bench, asked)
        return blobs, time.perf_counter() - begun
    except ClusterError:
        failed = kept.opened.pop(identity, None)
        if failed is not None:
            await failed.close()
        raise
    finally:
        opened.under_way -= 1
        await _make_room(kept)


async def _evaluated(bench: Bench, asked: Sequence[tuple[PieceAddress, Elapsed]]) -> list[bytes]:
    """The pickled answers for each piece; elapsed time accumulates over the pieces."""
    spent: dict[int, float] = defaultdict(float)
    blobs = []
    for place, elapsed in asked:
        so_far = {i: seconds + spent[i] for i, seconds in elapsed.items()}
        answers = await bench.evaluate_piece(place.index, so_far, place.window)
        for i, answer in answers.items():
            spent[i] += answer.seconds
        blobs.append((await bench.workers.run(partial(pickle.dumps, answers, 5)))[0])
    return blobs


async def forget(identity: str, dask_worker: Any) -> None:
    """Closes a job: its threads stop at the end of their chunk."""
    kept = _KEPT.setdefault(dask_worker, _Kept())
    kept.over.append(identity)
    opened = kept.opened.pop(identity, None)
    if opened is not None:
        await opened.close()


async def _opened(order: bytes, workers: Workers, address: str) -> Bench:
    def read() -> JobOrder:
        found: JobOrder = pickle.loads(order)  # noqa: S301 - a scheduler runs any code anyway
        return found

    try:
        known, _ = await workers.run(read)
        here, _ = await workers.run(versions)
        other = [
            f"{name} {here.get(name)} instead of {needed}"
            for name, needed in known.needs.items()
            if here.get(name) != needed
        ]
        if other:
            msg = f"worker {address} has {', '.join(other)}: install the same versions everywhere"
            raise ClusterError(msg)
        return await Bench.opened(known.job, workers)
    except ClusterError:
        raise
    except OSError as exc:
        msg = (
            f"worker {address} cannot open the data: {exc}; every worker must see the store "
            "(SPATIAL_STORE) under the same path"
        )
        raise ClusterError(msg) from exc
    except Exception as exc:
        msg = f"worker {address} cannot open the job: {type(exc).__name__}: {exc}"
        raise ClusterError(msg) from exc


async def _make_room(kept: _Kept) -> None:
    idle = [i for i, o in kept.opened.items() if not o.under_way]
    for identity in idle[: max(0, len(kept.opened) - KEPT)]:
        await kept.opened.pop(identity).close()


__all__ = [
    "READY",
    "JobOrder",
    "PieceAddress",
    "evaluate_places",
    "feature_versions",
    "forget",
    "versions",
]

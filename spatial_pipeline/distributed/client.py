"""Client of a Dask scheduler, whose workers evaluate the pieces of a check.

The address is ``SPATIAL_DASK_SCHEDULER``. Workers read the store themselves, under the same path;
only the address of the version, the rules, and the partial results of each piece are transferred.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import pickle
import pkgutil
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from spatial_pipeline.check.engine.remote import RemoteJob
from spatial_pipeline.distributed import worker
from spatial_pipeline.distributed.batching import Questions, StrandedError
from spatial_pipeline.errors import ClusterError, RuleError, SpatialPipelineError
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.store.staged import StagedRaster, StagedVector

logger = logging.getLogger("spatial_pipeline")
Client = Any
Future = Any
"""A future of ``distributed``, which is only partly typed."""
CONNECT_S = 10.0
"""Seconds in which a scheduler must answer."""
PATIENCE_S = 60.0
"""Seconds that a check waits for a worker while there is none."""
LOOK_S = 1.0
"""Seconds between two polls of the number of workers."""
FAREWELL_S = 5.0
"""Seconds in which workers are notified that a job is over."""
AHEAD = 2
"""Tasks in flight per worker thread: one being worked on, one waiting."""
LANES = 512
"""Maximum number of pieces in flight on all machines together."""
READY = "spatial_pipeline.distributed.worker:READY"
"""Entry point of workers that can load this package.

It is requested by name: a worker that fails to unpickle our objects dies without a message.
"""
ADDRESS = re.compile(
    r"((?P<scheme>[^:/]+)://)?(?P<host>\[[^]]*\]|[^:/\s]+)(:(?P<port>[^:/\s]*))?/?"
)
SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")


@contextlib.asynccontextmanager
async def connected(
    address: str | None, root: Path, *, patience_s: float = PATIENCE_S
) -> AsyncIterator[DaskCluster | None]:
    """The machines behind a scheduler, for the running loop; None without an address.

    Args:
        address: address of the scheduler, as ``tcp://host:8786``.
        root: folder of the store, which all workers see under the same path.
        patience_s: see :class:`DaskCluster`.

    Raises:
        ClusterError: the address is malformed, distributed is not installed, or no scheduler
            answers.

    """
    if address is None:
        yield None
        return
    mistake = address_mistake(address)
    if mistake:
        msg = f"SPATIAL_DASK_SCHEDULER={address}: {mistake}"
        raise ClusterError(msg)
    try:
        distributed = await asyncio.to_thread(_distributed)
    except ImportError as exc:
        msg = (
            "SPATIAL_DASK_SCHEDULER is set, but distributed is not installed: "
            "pip install 'spatial_pipeline[dask]'"
        )
        raise ClusterError(msg) from exc
    with _brief():
        try:
            client = await distributed.Client(
                address, asynchronous=True, set_as_default=False, timeout=CONNECT_S, name="spatial"
            )
        except (OSError, TimeoutError, ValueError) as exc:
            said = " ".join(str(exc).split()) or type(exc).__name__
            msg = (
                f"no Dask scheduler answers at {address} (SPATIAL_DASK_SCHEDULER): {said}; start "
                "one with 'dask scheduler', or unset the variable to check on this machine alone"
            )
            raise ClusterError(msg) from exc
        try:
            async with DaskCluster(client, address, root, patience_s) as cluster:
                yield cluster
        finally:
            await client.close()


@contextlib.contextmanager
def _brief() -> Iterator[None]:
    """Keeps tracebacks of ``distributed`` out of its log; the waiting code reports the errors."""

    def without_tracebacks(record: logging.LogRecord) -> bool:
        if not record.exc_info:
            return True
        logger.debug("%s", record.getMessage(), exc_info=record.exc_info)
        return False

    names = [n for n in logging.root.manager.loggerDict if n.partition(".")[0] == "distributed"]
    for name in names:
        logging.getLogger(name).addFilter(without_tracebacks)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(without_tracebacks)


def address_mistake(address: str) -> str:
    """Mistake in the address of a scheduler; empty when it is well-formed."""
    example = "write tcp://host:8786"
    found = ADDRESS.fullmatch(address)
    if found is None:
        return f"is not an address: {example}"
    scheme, host, port = found["scheme"], found["host"], found["port"]
    if scheme is not None and scheme not in SCHEMES:
        return f"{scheme}:// is not one of {', '.join(f'{s}://' for s in SCHEMES)}: {example}"
    if not port:
        return f"has no port: write {scheme or 'tcp'}://{host}:8786"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16):
        return f"{port!r} is not a port: {example}"
    return ""


class DaskCluster:
    """Implements ``check.engine.remote.RemoteWorkers`` with an asynchronous client.

    Args:
        client: connected, of the running loop.
        address: of the scheduler.
        root: folder of the store.
        patience_s: seconds that a check waits for a worker while there is none.

    """

    lanes = LANES

    def __init__(self, client: Client, address: str, root: Path, patience_s: float) -> None:
        self.client = client
        self.address = address
        self.root = root.absolute()
        self.patience_s = patience_s
        self._changed = asyncio.Condition()
        self._under_way = 0
        self._known: set[str] = set()
        self._found: dict[str, int] = {}
        self._able: set[str] = set()
        self._trying: set[asyncio.Task[None]] = set()
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> DaskCluster:
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        ending = {self._looking, *self._trying}
        for task in ending:
            task.cancel()
        await asyncio.wait(ending)
        self._lost.cancel()

    @property
    def able(self) -> frozenset[str]:
        """Addresses of the workers that can load this package; the others get no task.

        A worker that cannot unpickle a task dies of it, and what it was that killed it is not told.
        """
        return frozenset(self._able & self._found.keys())

    @property
    def threads(self) -> int:
        """Number of threads of the workers that are able."""
        return sum(self._found[address] for address in self.able)

    def reaches(self, data: Reader) -> bool:
        """True for versions in the store; versions staged for this check only are not there."""
        if not isinstance(data, StagedVector | StagedRaster):
            return False
        return data.path.is_relative_to(self.root)

    @contextlib.asynccontextmanager
    async def opened(self, job: RemoteJob) -> AsyncIterator[Questions]:
        """The job, until it is done or cancelled; then no worker works on it."""
        await self._ready()
        needs = await asyncio.to_thread(worker.versions)
        blob = await asyncio.to_thread(pickle.dumps, worker.JobOrder(needs, job))
        identity = uuid.uuid4().hex
        try:
            async with asyncio.TaskGroup() as group:
                questions = Questions(self, identity, blob)
                sending = group.create_task(questions.send())
                try:
                    yield questions
                finally:
                    sending.cancel()
        finally:
            await self._farewell(identity)

    async def _ready(self) -> None:
        """Waits for a worker that can load this package.

        Raises:
            RuleError: there is no worker for too long, or a worker cannot load the package.

        """
        key = f"spatial-ready-{uuid.uuid4().hex}"
        future = self.client.submit(pkgutil.resolve_name, READY, key=key, pure=False)
        try:
            await self.result(future)
        finally:
            future.release()

    async def _try(self, workers: list[str]) -> None:
        """Asks workers to load this package, and gives up when one cannot."""
        try:
            answers = await self.client.run(
                pkgutil.resolve_name, READY, workers=workers, on_error="return"
            )
        except BaseException:
            self._known.difference_update(workers)
            raise
        for address, answer in answers.items():
            if isinstance(answer, ImportError):
                if not self._lost.done():
                    self._lost.set_result(f"worker {address} {_cannot_load(answer)}")
            elif answer is True:
                self._able.add(address)
            else:
                # It did not answer, or something stranger: it is asked again if it is still there.
                self._known.discard(address)
        async with self._changed:
            self._changed.notify_all()

    async def turn(self) -> None:
        """Waits until a worker can take one more task, and counts it as in flight."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self._lost.done()
                    or (self.threads > 0 and self._under_way < AHEAD * self.threads)
                )
            )
            self._under_way += 1

    async def some(self) -> None:
        """Waits until there is a worker that may get a task, or the machines are lost."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._lost.done() or bool(self.able))

    async def returned(self) -> None:
        """Counts a task as no longer in flight."""
        self._under_way -= 1
        async with self._changed:
            self._changed.notify(1)

    async def result(self, future: Future, workers: frozenset[str] = frozenset()) -> Any:
        """The result of a future, unless the machines are lost meanwhile.

        Args:
            future: the future.
            workers: addresses of the only workers that may run it; all may unless given.

        Raises:
            RuleError: the machines are lost, or died while running it; the message says which.
            StrandedError: none of these workers is there any more; others may be.

        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        waiting = asyncio.create_task(_outcome(future))
        stranded = asyncio.create_task(self._gone(workers))
        try:
            either: set[asyncio.Future[Any]] = {waiting, stranded, self._lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                if self._lost.done():
                    raise RuleError(self._lost.result())
                raise StrandedError
            value, error = waiting.result()
        finally:
            waiting.cancel()
            stranded.cancel()
        if error is None:
            return value
        if isinstance(error, KilledWorker):
            times, last = error.allowed_failures + 1, error.last_worker.address
            msg = f"workers that died while evaluating it: {times}, the last one was {last}"
            raise RuleError(msg) from error
        if isinstance(error, FutureCancelledError):
            msg = (
                f"lost the connection to the Dask scheduler at {self.address},"
                f" or it dropped the task ({error.reason})"
            )
            raise RuleError(msg) from error
        if isinstance(error, SpatialPipelineError):
            raise error
        if isinstance(error, ImportError):
            msg = f"a Dask worker {_cannot_load(error)}"
            raise RuleError(msg) from error
        msg = f"a Dask worker failed: {type(error).__name__}: {error}"
        raise RuleError(msg) from error

    async def _gone(self, workers: frozenset[str]) -> None:
        """Waits until none of some workers is there any more; for ever without any."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(workers) and not workers & self._found.keys())

    async def _look(self) -> None:
        """Tracks the number of worker threads, and gives up when there were none for too long."""
        loop = asyncio.get_running_loop()
        seen = loop.time()
        while not self._lost.done():
            try:
                async with asyncio.timeout(max(self.patience_s, CONNECT_S)):
                    found = await self.client.nthreads()
                self._found = dict(found)
                if fresh := sorted(found.keys() - self._known):
                    self._known.update(fresh)
                    task = asyncio.create_task(self._try(fresh))
                    self._trying.add(task)
                    task.add_done_callback(self._tried)
            except Exception as exc:  # noqa: BLE001 - whatever it is, nobody must wait for ever
                said = " ".join(str(exc).split()) or type(exc).__name__
                self._lost.set_result(f"the Dask scheduler at {self.address} was lost: {said}")
            if sum(self._found.values()):
                seen = loop.time()
            elif loop.time() - seen > self.patience_s and not self._lost.done():
                self._lost.set_result(
                    f"the Dask scheduler at {self.address} has had no worker for "
                    f"{self.patience_s:g} s; start one with 'dask worker {self.address}'"
                )
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(min(LOOK_S, self.patience_s / 2 or LOOK_S))

    def _tried(self, task: asyncio.Task[None]) -> None:
        self._trying.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # The worker or the scheduler is gone; the code that waits for it reports that.
            logger.debug("workers were not tried", exc_info=task.exception())

    async def _farewell(self, identity: str) -> None:
        """Notifies the workers that a job is over; those that miss it drop the job later."""
        if self._lost.done():
            return
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self.client.run(worker.forget, identity, on_error="ignore")


def _distributed() -> Any:
    """Imports ``distributed`` and runs its slow first-time work off the loop: half a second."""
    found: Any = importlib.import_module("distributed")
    found.versions.get_versions()  # runs a subprocess for the name of the processor
    return found


def _cannot_load(error: ImportError) -> str:
    return (
        f"cannot load spatial_pipeline: {type(error).__name__}: {error}; install the same versions "
        "on every worker"
    )


async def _outcome(future: Future) -> tuple[Any, BaseException | None]:
    """Result or error of a future; its own cancellation is an error, not ours."""
    from distributed.client import FutureCancelledError

    try:
        return await future.result(), None
    except FutureCancelledError as exc:
        return None, exc
    except Exception as exc:  # noqa: BLE001 - reported to the waiting code
        return None, exc


__all__ = ["DaskCluster", "connected"]

"""Repeating a command whenever its contracts or sources change: ``check --watch``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from spatial_pipeline.contract.models import Contract

LOCAL_S = 1.0
"""Seconds between two looks at local files."""
REMOTE_S = 30.0
"""Seconds between two looks at web servers, object stores and databases."""


def watch_forever(
    act: Callable[[], int],
    state: Callable[[], object],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> NoReturn:
    """Acts, and acts again after each change; ends by Ctrl-C only.

    A change during an action is seen, since the state is taken before it.

    Args:
        act: the action; an exit of it ends that action and not the watch.
        state: a value that changes with what the action depends on.
        say: prints a line.
        sleep: waits some seconds.

    """
    while True:
        before = state()
        with contextlib.suppress(typer.Exit):
            act()
        say("watching: a change starts the next check, Ctrl-C ends")
        while state() == before:
            sleep(LOCAL_S)


class _Glances:
    """States of remote sources, looked at rarely."""

    def __init__(self) -> None:
        self._known: dict[object, tuple[float, object]] = {}

    def of(self, name: object, look: Callable[[], object]) -> object:
        """The state under a name: the last one while it is recent."""
        at, found = self._known.get(name, (-REMOTE_S, None))
        if time.monotonic() - at < REMOTE_S:
            return found
        found = look()
        self._known[name] = (time.monotonic(), found)
        return found


_REMOTE = _Glances()


def state_of(
    paths: Iterable[Path], contracts: Sequence[Contract], partition: str | None
) -> tuple[object, ...]:
    """A value that changes when a file below the paths, or a source of the contracts, changes.

    Args:
        paths: contracts, folders of them, and files.
        contracts: what they declare now.
        partition: the only partition that is checked; all that the contract lists unless given.

    """
    files = [f for p in paths for f in ([p] if not p.is_dir() else sorted(p.rglob("*.y*ml")))]
    stamps = tuple((str(f), _stamp(f)) for f in files)
    sources = tuple(s for c in contracts for s in _sources(c, partition))
    return (*stamps, *sources)


def _sources(contract: Contract, partition: str | None) -> Iterable[object]:
    """States of the sources that a contract reads, those of its comparisons included."""
    from spatial_pipeline.commands.project import settings
    from spatial_pipeline.contract.database_url import is_database
    from spatial_pipeline.contract.partitions import keys_of
    from spatial_pipeline.contract.remote_url import is_remote
    from spatial_pipeline.contract.rules import OtherSource
    from spatial_pipeline.contract.source import Source
    from spatial_pipeline.ingest.probe import probe

    environment = settings()
    database = environment.database_url
    secret = None if database is None else database.get_secret_value()
    keys: Sequence[str | None] = [None]
    if contract.partitions is not None:
        keys = [partition] if partition is not None else keys_of(contract) or ()
    others = [o for r in contract.rules for o in r.others() if isinstance(o, OtherSource)]
    read = [contract.source, *(Source(uri=o.uri, layer=o.layer) for o in others)]
    for source in read:
        for key in keys:

            def look(source: Source = source, key: str | None = key) -> object:
                limits = environment.transfer_limits
                allowed = environment.allowed_sources
                return probe(source, contract.base, key, allowed, limits, secret).seen

            far = is_remote(source.uri) or is_database(source.uri)
            yield _REMOTE.of((contract.base, source, key), look) if far else look()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size

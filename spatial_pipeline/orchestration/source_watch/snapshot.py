"""Snapshot of a source's state: names, sizes, times, ETags and the statistics of a database.

A sensor of Dagster has no event loop, so everything here is synchronous.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.probe import list_keys, probe, probe_each
from spatial_pipeline.orchestration.source_watch.cursor import WHOLE, Cursor
from spatial_pipeline.settings import Settings
from spatial_pipeline.sources.transfer import TransferLimits

AT_ONCE = 8
BUDGET_S = 40.0
"""Dagster ends a sensor after a minute."""
LIMITS = TransferLimits(connect_timeout_s=5.0, read_timeout_s=10.0, attempts=2)
"""Short limits for requests to other machines; the sensor retries soon."""
UNLISTED = {"http", "https"}
"""URL schemes of servers that provide no listing."""


@dataclass
class Look:
    """One snapshot of a source.

    Attributes:
        tokens: partition → token of its state.
        troubles: failures to read the source's state, with reasons.
        blind: partitions whose state is unknown now; None for all of them.

    """

    tokens: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    blind: set[str] | None = field(default_factory=set)

    def lost(self, key: str) -> None:
        """Marks the state of a partition as unknown."""
        if self.blind is not None:
            self.blind.add(key)

    def remembered(self, cursor: Cursor) -> dict[str, str]:
        """Tokens, with the former ones where the state is unknown now."""
        before = {k: t for k, (t, _) in cursor.seen.items()}
        kept = before if self.blind is None else {k: before[k] for k in before.keys() & self.blind}
        return {**kept, **self.tokens}


def look_at(contract: Contract, settings: Settings, keys: Sequence[str] | None) -> Look:
    """Takes a snapshot of the source; does not raise when it is missing or unreachable.

    Args:
        contract: the dataset.
        settings: allowed sources and the configured database.
        keys: partitions to look for; None for all that exist, ``[WHOLE]`` without partitions.

    """
    look = Look()
    if is_database(contract.source.uri):
        _look_at_tables(contract, settings, keys, look)
    elif keys == [WHOLE] or (keys is not None and _scheme(contract) in UNLISTED):
        _look_at_each(contract, settings, keys, look)
    else:
        try:
            listed = list_keys(contract.source, contract.base, settings.allowed_sources, LIMITS)
        except SourceError as exc:
            look.blind = None
            look.troubles.append(str(exc))
        else:
            wanted = listed.keys() if keys is None else listed.keys() & set(keys)
            look.tokens = {k: listed[k] for k in wanted if _is_key(k, look)}
    return look


def _look_at_tables(
    contract: Contract, settings: Settings, keys: Sequence[str] | None, look: Look
) -> None:
    if keys is None:
        look.troubles.append("tables cannot be listed: partitions: {static: [...]} names them")
        return
    url = settings.database_url
    secret = None if url is None else url.get_secret_value()
    asked = [k or None for k in keys]
    where = (contract.source, contract.base, asked, settings.allowed_sources, LIMITS, secret)
    for key, state in probe_each(*where):
        if state.token is not None:
            look.tokens[key or WHOLE] = state.token
        else:
            look.lost(key or WHOLE)
            look.troubles.append(_named(key, state.error or "it cannot be looked at"))


def _look_at_each(contract: Contract, settings: Settings, keys: Sequence[str], look: Look) -> None:
    """Queries every partition by itself, several at a time, in any order.

    Partitions for which there was no time are queried in another tick.
    """
    source, base, allowed = contract.source, contract.base, settings.allowed_sources
    shuffled = random.sample(keys, len(keys))
    pool = ThreadPoolExecutor(max_workers=AT_ONCE)
    try:
        asked = {k: pool.submit(probe, source, base, k or None, allowed, LIMITS) for k in shuffled}
        wait(asked.values(), timeout=BUDGET_S)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    late = 0
    for key in keys:
        if not asked[key].done() or asked[key].cancelled():
            look.lost(key)
            late += 1
            continue
        state = asked[key].result()
        if state.token is not None:
            look.tokens[key] = state.token
        else:
            look.troubles.append(_named(key, state.error or "it cannot be looked at"))
            if state.lost:
                look.lost(key)
    if late:
        look.troubles.append(f"{late} of {len(keys)} gave no answer within {BUDGET_S:g} s")


def _is_key(key: str, look: Look) -> bool:
    """False for names that Dagster rejects as partition keys, which are reported."""
    if any(s in key for s in INVALID_PARTITION_SUBSTRINGS):
        look.troubles.append(f"{key!r} cannot be the name of a partition")
        return False
    return True


def _scheme(contract: Contract) -> str:
    scheme, mark, _ = contract.source.uri.partition("://")
    return scheme.lower() if mark else ""


def _named(key: str | None, reason: str) -> str:
    return f"{key}: {reason}" if key else reason

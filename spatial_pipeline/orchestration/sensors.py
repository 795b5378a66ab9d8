"""The sensor that watches the source of a dataset.

It looks at names, sizes, times, ETags and the books of a database, never at the data. A sensor of
Dagster has no event loop, so everything here is synchronous.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS

from spatial_pipeline.contract.database_url import is_database, redacted
from spatial_pipeline.contract.models import Contract, DynamicPartitions
from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.probe import list_keys, probe, probe_each
from spatial_pipeline.ingest.remote import Limits
from spatial_pipeline.orchestration.automation import sensor_status
from spatial_pipeline.orchestration.keys import DATASET_TAG, source_key
from spatial_pipeline.orchestration.partitions import partitions_of
from spatial_pipeline.orchestration.schedules import Job
from spatial_pipeline.orchestration.sightings import WHOLE, Change, Conclusion, Cursor, conclude
from spatial_pipeline.settings import Settings

MOST = 50
"""Changes that are announced in one tick; the others wait for the next one."""
SHOWN = 5
AT_ONCE = 8
BUDGET_S = 40.0
"""Dagster ends a sensor after a minute."""
LIMITS = Limits(connect_timeout_s=5.0, read_timeout_s=10.0, attempts=2)
"""A look at another machine is short; a sensor looks again soon."""
UNLISTED = {"http", "https"}
"""Schemes of servers that do not tell what they hold."""
DATA_VERSION_TAG = "dagster/data_version"


@dataclass
class Look:
    """What one look at a source found.

    Attributes:
        tokens: partition → token of what is there.
        troubles: what could not be looked at, and why.
        blind: partitions of which nothing is known now; None for all of them.

    """

    tokens: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    blind: set[str] | None = field(default_factory=set)

    def lost(self, key: str) -> None:
        """Nothing is known of a partition now."""
        if self.blind is not None:
            self.blind.add(key)

    def remembered(self, cursor: Cursor) -> dict[str, str]:
        """Tokens, with those of before where nothing is known now."""
        before = {k: t for k, (t, _) in cursor.seen.items()}
        kept = before if self.blind is None else {k: before[k] for k in before.keys() & self.blind}
        return {**kept, **self.tokens}


def source_sensor(contract: Contract, job: Job) -> dg.SensorDefinition | None:
    """A sensor that notices new and changed sources; None without ``watch``.

    It reports a materialization of the external source asset, and requests a run of the dataset
    unless the contract names an automation, which reacts to that report.
    """
    watched = contract.watched
    if watched is None:
        return None
    launches = contract.automation is None

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = int(datetime.now(UTC).timestamp())
        cursor = Cursor.loaded(context.cursor, now)
        look = look_at(contract, Settings(), _keys(contract))
        found = conclude(cursor, look.remembered(cursor), MOST, settles=_settles(contract))
        return dg.SensorResult(
            run_requests=[_request(contract, cursor, c) for c in found.changes] if launches else [],
            asset_events=[_event(contract, c) for c in found.changes],
            dynamic_partitions_requests=_new_partitions(contract, found.changes),
            skip_reason=None if found.changes and launches else _said(found, look),
            cursor=found.cursor.dumped(),
        )

    return dg.SensorDefinition(
        name=f"{contract.name}_source_sensor",
        evaluation_fn=evaluate,
        job=job if launches else None,
        minimum_interval_seconds=int(watched.every.total_seconds()),
        default_status=sensor_status(),
        description=f"Watches {redacted(contract.source.uri)} for {contract.name}.",
    )


def look_at(contract: Contract, settings: Settings, keys: Sequence[str] | None) -> Look:
    """Looks at the source once; does not raise for a source that is missing or out of reach.

    Args:
        contract: the dataset.
        settings: what sources are allowed and which database is meant.
        keys: partitions to look for; None for all that are there, ``[WHOLE]`` without partitions.

    """
    look = Look()
    if is_database(contract.source.uri):
        _look_at_tables(contract, settings, keys, look)
    elif keys == [WHOLE] or (keys is not None and _scheme(contract) in UNLISTED):
        _look_at_each(contract, settings, keys, look)
    else:
        try:
            listed = list_keys(contract.source.uri, contract.base, settings.allowed_sources, LIMITS)
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
    """Asks for every partition by itself, several at a time, in any order.

    What there was no time for is asked for in another tick.
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


def _keys(contract: Contract) -> list[str] | None:
    """Partitions that the contract allows now; None when it takes what there is."""
    partitions = partitions_of(contract)
    if partitions is None:
        return [WHOLE]
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return None
    return list(partitions.get_partition_keys())


def _is_key(key: str, look: Look) -> bool:
    """False for names that Dagster takes for no partition, which are told."""
    if any(s in key for s in INVALID_PARTITION_SUBSTRINGS):
        look.troubles.append(f"{key!r} cannot be the name of a partition")
        return False
    return True


def _scheme(contract: Contract) -> str:
    scheme, mark, _ = contract.source.uri.partition("://")
    return scheme.lower() if mark else ""


def _settles(contract: Contract) -> bool:
    """True for files, which grow while they are written; other stores show them whole."""
    return _scheme(contract) in {"", "file", "package"} and not is_database(contract.source.uri)


def _request(contract: Contract, cursor: Cursor, change: Change) -> dg.RunRequest:
    # The number tells a state that came back from the same state seen twice.
    parts = (contract.name, cursor.since, change.key, change.token, change.number)
    return dg.RunRequest(
        run_key=":".join(map(str, parts)),
        partition_key=change.key or None,
        tags={DATASET_TAG: contract.name},
    )


def _event(contract: Contract, change: Change) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=source_key(contract.name),
        partition=change.key or None,
        description="The source is new or has changed.",
        metadata={"uri": redacted(contract.source.uri)},
        tags={DATA_VERSION_TAG: change.token},
    )


def _new_partitions(
    contract: Contract, changes: Sequence[Change]
) -> list[dg.AddDynamicPartitionsRequest]:
    if not changes or not isinstance(contract.partitions, DynamicPartitions):
        return []
    keys = [c.key for c in changes]
    return [dg.AddDynamicPartitionsRequest(contract.partitions.dynamic, keys)]


def _said(found: Conclusion, look: Look) -> str:
    """What a tick that launches nothing shows in the UI."""
    parts = [
        (f"reported to the automation: {_listed(c.key for c in found.changes)}", found.changes),
        (f"must stand still for one more look: {_listed(found.unsettled)}", found.unsettled),
        (f"wait for the next tick: {len(found.deferred)}", found.deferred),
        (f"not there any more, kept as it is: {_listed(found.gone)}", found.gone),
        ("; ".join(look.troubles[:SHOWN]), look.troubles),
    ]
    text = "; ".join(t for t, present in parts if present)
    if len(look.troubles) > SHOWN:
        text += f"; and {len(look.troubles) - SHOWN} more"
    return text or ("nothing changed" if look.tokens else "nothing is there yet")


def _listed(keys: Iterable[str]) -> str:
    names = [k or "the source" for k in keys]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _named(key: str | None, reason: str) -> str:
    return f"{key}: {reason}" if key else reason

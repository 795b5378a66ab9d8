"""Small maps of violations for check results in the Dagster UI."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.result import Result

if TYPE_CHECKING:
    from spatial_pipeline.model.version import Version
    from spatial_pipeline.store.versions import Store

MOST = 4
"""Maps of one run of checks: drawing takes time, and each is kept in Dagster's event log."""


async def maps_of(
    store: Store, version: Version, results: Sequence[Result], log: logging.Logger
) -> dict[str, bytes]:
    """PNGs of the first rules with located violations, by name; blocking rules first.

    Maps are optional: one that cannot be drawn is logged, and the results are unchanged.
    """
    placed = [r for r in results if r.status is Status.FAILED and any(v.location for v in r.sample)]
    drawn = sorted(placed, key=lambda r: not r.blocks)[:MOST]
    return await asyncio.to_thread(_draw, store, version, drawn, log) if drawn else {}


def _draw(
    store: Store, version: Version, results: Sequence[Result], log: logging.Logger
) -> dict[str, bytes]:
    from spatial_pipeline.alert.problems import of_result
    from spatial_pipeline.pipeline import alert_context

    maps = {}
    for result in results:
        try:
            fact = of_result(version, result)
            picture = None if fact is None else alert_context.picture_of(store, fact)
        except Exception:
            log.warning(f"no map of {result.name}", exc_info=True)
            continue
        if picture is not None:
            maps[result.name] = picture
    return maps

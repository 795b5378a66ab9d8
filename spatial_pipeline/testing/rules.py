"""Contract rules as assertions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spatial_pipeline.runtime.event_loop import run_sync
from spatial_pipeline.runtime.temporary import TemporaryFolder

RASTERS = frozenset({".tif", ".tiff", ".vrt", ".jp2", ".img"})


def check_rules(
    data: Any,
    rules: Sequence[str | dict[str, Any]],
    *,
    key: Sequence[str] = (),
    layer: str | None = None,
) -> None:
    """Asserts that data passes rules, as a contract would judge it.

    Blocks while it runs: an async test awaits :func:`check_rules_async` instead.

    Args:
        data: a GeoDataFrame (its index is left out), or the path or URI of a source; the URI of a
            database is ``postgresql://…``, or ``postgresql:`` for that of SPATIAL_DATABASE_URL.
        rules: rules as in a contract; a string is a rule without parameters.
        key: columns that identify a feature in the message.
        layer: layer of a file, or ``schema.table`` of a database, where there are several.

    Raises:
        AssertionError: a rule of severity ``error`` did not pass; the message names the rules and
            the first violations of each.
        pydantic.ValidationError: a rule is not written as the catalogue says.

    """
    __tracebackhide__ = True
    message = run_sync(_refusal(data, rules, key, layer), slow=None)
    assert not message, message


async def check_rules_async(
    data: Any,
    rules: Sequence[str | dict[str, Any]],
    *,
    key: Sequence[str] = (),
    layer: str | None = None,
) -> None:
    """:func:`check_rules` for async tests; the loop stays free."""
    __tracebackhide__ = True
    message = await _refusal(data, rules, key, layer)
    assert not message, message


async def _refusal(
    data: Any, rules: Sequence[str | dict[str, Any]], key: Sequence[str], layer: str | None
) -> str:
    """Message of the assertion; empty when the rules hold."""
    from spatial_pipeline.contract.database_url import is_database
    from spatial_pipeline.contract.models import RasterContract, VectorContract
    from spatial_pipeline.pipeline.batch_check import check_all
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.report.junit import sample_lines
    from spatial_pipeline.settings import Settings
    from spatial_pipeline.store.versions import Store

    written = [{"rule": r} if isinstance(r, str) else r for r in rules]
    folder = await asyncio.to_thread(TemporaryFolder)
    try:
        uri = data if isinstance(data, (str, Path)) else folder.path / "data.parquet"
        if not isinstance(data, (str, Path)):
            await asyncio.to_thread(data.to_parquet, uri, index=False)
        source = {"uri": str(uri), "layer": layer}
        values: dict[str, Any] = {"name": "data", "source": source, "rules": written}
        contract: VectorContract | RasterContract
        if not is_database(str(uri)) and Path(uri).suffix.lower() in RASTERS:
            contract = RasterContract.model_validate(values)
        else:
            contract = VectorContract.model_validate({**values, "key": tuple(key)})
        database = Settings().database_url
        pipeline = Pipeline(
            {"data": contract},
            Store(folder.path / "store"),
            database_url=None if database is None else database.get_secret_value(),
        )
        (checked,) = await check_all(pipeline, [(contract, None)], None)
    finally:
        await asyncio.to_thread(folder.remove)
    lines: list[str] = []
    for result in checked.results:
        if result.blocks:
            lines.append(f"{result.name}: {result.status}: {result.message}")
            lines += [f"    {line}" for line in sample_lines(result)]
    return "\n".join(lines)

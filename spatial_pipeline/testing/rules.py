"""Contract rules as assertions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spatial_pipeline.runtime import run_sync


def check_rules(
    data: Any, rules: Sequence[str | dict[str, Any]], *, key: Sequence[str] = ()
) -> None:
    """Asserts that data passes rules, as a contract would judge it.

    Blocks while it runs: an async test awaits :func:`check_rules_async` instead.

    Args:
        data: a GeoDataFrame (its index is left out), or the path or URI of a source.
        rules: rules as in a contract; a string is a rule without parameters.
        key: columns that identify a feature in the message.

    Raises:
        AssertionError: a rule of severity ``error`` did not pass; the message names the rules and
            the first violations of each.
        pydantic.ValidationError: a rule is not written as the catalogue says.

    """
    __tracebackhide__ = True
    message = run_sync(_refusal(data, rules, key), slow=None)
    assert not message, message


async def check_rules_async(
    data: Any, rules: Sequence[str | dict[str, Any]], *, key: Sequence[str] = ()
) -> None:
    """:func:`check_rules` for async tests; the loop stays free."""
    __tracebackhide__ = True
    message = await _refusal(data, rules, key)
    assert not message, message


async def _refusal(data: Any, rules: Sequence[str | dict[str, Any]], key: Sequence[str]) -> str:
    """What the assertion says; empty when the rules hold."""
    from spatial_pipeline.checking import check_all
    from spatial_pipeline.contract.models import RasterContract, VectorContract
    from spatial_pipeline.report.junit import sample_lines
    from spatial_pipeline.run import Pipeline
    from spatial_pipeline.store.versions import Store

    written = [{"rule": r} if isinstance(r, str) else r for r in rules]
    folder = await asyncio.to_thread(TemporaryDirectory, prefix="spatial-rules-")
    try:
        uri = data if isinstance(data, (str, Path)) else Path(folder.name) / "data.parquet"
        if not isinstance(data, (str, Path)):
            await asyncio.to_thread(data.to_parquet, uri, index=False)
        values: dict[str, Any] = {"name": "data", "source": {"uri": str(uri)}, "rules": written}
        contract: VectorContract | RasterContract
        if Path(str(uri)).suffix.lower() in {".tif", ".tiff", ".vrt", ".jp2", ".img"}:
            contract = RasterContract.model_validate(values)
        else:
            contract = VectorContract.model_validate({**values, "key": tuple(key)})
        pipeline = Pipeline({"data": contract}, Store(Path(folder.name) / "store"))
        (checked,) = await check_all(pipeline, [(contract, None)], None)
    finally:
        await asyncio.to_thread(folder.cleanup)
    lines: list[str] = []
    for result in checked.results:
        if result.blocks:
            lines.append(f"{result.name}: {result.status}: {result.message}")
            lines += [f"    {line}" for line in sample_lines(result)]
    return "\n".join(lines)

"""Contract rules as assertions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spatial_pipeline.runtime.event_loop import run_sync


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
        ContractError: rules have mistakes, or name columns that the data spell otherwise; one line
            for each.
        TypeError: ``data`` is no data.

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
    from spatial_pipeline.pipeline.data_check import check_async
    from spatial_pipeline.report.junit import sample_lines

    report = await check_async(data, rules, key=key, layer=layer, scene=False)
    lines: list[str] = []
    for result in report.results:
        if result.blocks:
            lines.append(f"{result.name}: {result.status}: {result.message}")
            lines += [f"    {line}" for line in sample_lines(result)]
    return "\n".join(lines)

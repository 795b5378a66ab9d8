"""Result tables for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.result import Result
from spatial_pipeline.report.checked import Checked

STYLES = {Status.PASSED: "green", Status.FAILED: "red", Status.ERROR: "red", Status.TIMEOUT: "red"}


def results_table(checked: Checked) -> Table:
    """One row per rule: name, status, message."""
    verdict = Text("passed", "bold green") if checked.passed else Text("held", "bold red")
    title = Text.assemble((checked.title, "bold"), ": ", verdict)
    table = _table("Check", "Status", "Checked", "Violations", "Message", title=title)
    for result in checked.results:
        table.add_row(
            Text(result.name),
            _status(result),
            Text(str(result.checked), justify="right"),
            Text(str(result.violations), justify="right"),
            Text(result.message),
        )
    return table


def datasets_table(checked: Sequence[Checked]) -> Table:
    """One row per dataset: verdict and the blocking rules that did not pass."""
    table = _table("Dataset", "Version", "Verdict", "Why")
    for c in checked:
        blocking = [r for r in c.results if r.blocks]
        warnings = [r for r in c.results if not r.passed and not r.blocks]
        why = ", ".join(f"{r.name} ({r.status.value})" for r in blocking)
        if warnings:
            said = ", ".join(r.name for r in warnings)
            why = f"{why}; warnings: {said}" if why else f"warnings: {said}"
        verdict = Text("passed", "green") if c.passed else Text("held", "red")
        table.add_row(Text(c.title), Text(c.version or "none"), verdict, Text(why))
    return table


def check_summary(checked: Sequence[Checked]) -> RenderableType:
    """The results of every dataset, and the verdicts when there are several."""
    tables: list[RenderableType] = [results_table(c) for c in checked]
    if len(checked) > 1:
        tables.append(datasets_table(checked))
    return Group(*tables)


@dataclass(frozen=True)
class Ran:
    """Result of a run for one partition of a dataset.

    Attributes:
        title: name, with the partition.
        version: version that was staged, None when staging failed.
        outcome: ``published``, ``held`` or ``failed``.
        readers_see: version that is published now, None when nothing is.
        results: results of the staged version.
        reasons: reasons why the staged version is held or the run failed; empty when it was
            published.

    """

    title: str
    version: str | None
    outcome: str
    readers_see: str | None
    results: Sequence[Result]
    reasons: Sequence[str]


def run_table(rows: Iterable[Ran]) -> Table:
    """Table of the results of each dataset."""
    table = _table("Dataset", "Version", "Passed", "Failed", "Outcome", "Readers see", "Why")
    for row in rows:
        passed = sum(r.passed for r in row.results)
        failed = len(row.results) - passed
        outcome = Text(row.outcome, "green" if row.outcome == "published" else "red")
        same = row.version is not None and row.readers_see == row.version
        seen = "this version" if same else row.readers_see
        warnings = [
            f"warning: {r.name}: {r.message}" for r in row.results if not r.passed and not r.blocks
        ]
        table.add_row(
            Text(row.title),
            Text(row.version or "none"),
            Text(str(passed)),
            Text(str(failed), "red" if failed else ""),
            outcome,
            Text(seen or "nothing"),
            Text("\n".join([*row.reasons, *warnings])),
        )
    return table


def _status(result: Result) -> Text:
    if result.passed or result.blocks:
        return Text(result.status.value, STYLES[result.status])
    return Text(f"{result.status.value} (warning)", "yellow")


def _table(*columns: str, title: Text | None = None) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=False)
    return table

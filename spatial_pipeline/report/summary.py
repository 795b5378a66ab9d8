"""Result tables for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.result import Result
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.tables import terminal_table

STYLES = {Status.PASSED: "green", Status.FAILED: "red", Status.ERROR: "red", Status.TIMEOUT: "red"}


def results_table(checked: Checked) -> Table:
    """One row per rule: name, status, message."""
    verdict = Text("passed", "bold green") if checked.passed else Text("held", "bold red")
    title = Text.assemble((checked.title, "bold"), ": ", verdict)
    return verdict_table(checked.results, title)


def verdict_table(results: Iterable[Result], title: Text | None = None) -> Table:
    """One row per rule: name, status, counts, message."""
    table = terminal_table("Check", "Status", "Checked", "Violations", "Message", title=title)
    for result in results:
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
    table = terminal_table("Dataset", "Version", "Verdict", "Why")
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


def profile_summary(profile: Profile) -> str:
    """Content of a version in a few words: what it holds, how much of it, and the CRS."""
    crs = profile.pyproj_crs
    reference = "no CRS" if crs is None else (authority(crs) or crs.name)
    if isinstance(profile, RasterProfile):
        types = ", ".join(dict.fromkeys(b.data_type for b in profile.bands))
        bands = f"{profile.count} band{'' if profile.count == 1 else 's'} of {types}"
        return f"{profile.width} × {profile.height} pixels, {bands}, {reference}"
    features = f"{profile.count} feature{'' if profile.count == 1 else 's'}"
    columns = ", ".join(c.name for c in profile.columns) or "none"
    shape = profile.geometry_type or "geometries of any type"
    if profile.geometry_column is None:
        shape, reference = "no geometry", "no CRS"
    return f"{features}, {shape}, {reference}; columns: {columns}"


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
    table = terminal_table(
        "Dataset", "Version", "Passed", "Failed", "Outcome", "Readers see", "Why"
    )
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

"""Checks many datasets, one after the other; a failure of one does not stop the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.errors import ContractError, SpatialPipelineError
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.pipeline.contract_slips import contract_slips
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.runtime.cancellation import in_thread

logger = logging.getLogger("spatial_pipeline")
Show = Callable[[str, str, int, int | None], None]
READABLE = Readable()


async def check_all(
    pipeline: Pipeline,
    targets: Sequence[tuple[Contract, str | None]],
    only: Sequence[str] | None,
    show: Show = lambda *_: None,
    *,
    context: bool = False,
    baselines: bool = True,
) -> list[Checked]:
    """Stages and checks datasets; publishes nothing.

    Args:
        pipeline: the project.
        targets: contracts and partition keys.
        only: names of the rules to check; all unless given.
        show: called with dataset, stage of the work, pieces done and pieces planned.
        context: load what is drawn under the violations, and the history of the dataset.
        baselines: suppress the violations in the baselines of the rules.

    """
    shown = None
    if context:
        # Templates and drawings are loaded for a page.
        from spatial_pipeline.report.html import limit_of

        shown = limit_of(len(targets))
    return [await _check(pipeline, c, key, only, show, shown, baselines) for c, key in targets]


def export_violations(checked: Sequence[Checked], path: Path) -> list[Path]:
    """Writes the violations of all checks as a layer; returns the files written.

    Raises:
        OSError: a file cannot be written.

    """
    from spatial_pipeline.report import violation_export, violations

    tables = [
        violations.with_version(
            violation_export.numbered_table(c.evaluations, c.profile),
            Version(c.dataset, c.partition, c.version or ""),
        )
        for c in checked
        if c.profile is not None
    ]
    return violation_export.export(tables or [violations.to_table(())], path)


async def _check(
    pipeline: Pipeline,
    contract: Contract,
    key: str | None,
    only: Sequence[str] | None,
    show: Show,
    shown: int | None,
    baselines: bool,
) -> Checked:
    version: Version | None = None
    try:
        staging = partial(show, contract.name, "ingest")
        version = await in_thread(pipeline.stage, contract, key, staging)
        audit = await pipeline.audit(
            contract,
            version,
            only,
            stand_in=True,
            baselines=baselines,
            progress=partial(show, contract.name, "check"),
        )
        data = await asyncio.to_thread(pipeline.store.open, version)
        evaluations = tuple(audit.evaluations)
        checked = Checked(
            contract.name,
            key,
            version.id,
            evaluations,
            data.profile,
            mistakes=tuple(map(str, contract_slips(contract, data.profile, audit.results))),
        )
        if shown is not None:
            checked = await asyncio.to_thread(_with_context, pipeline, checked, data, shown)
    except Exception as exc:
        if not isinstance(exc, SpatialPipelineError):
            logger.debug("%s", contract.name, exc_info=exc)
        message = (
            str(exc) if isinstance(exc, SpatialPipelineError) else f"{type(exc).__name__}: {exc}"
        )
        rules = [
            r
            for r in contract.effective_rules
            if r.rule == READABLE.rule or not only or r.check_name in only
        ]
        results = (_failed(r, message) for r in rules)
        identity = None if version is None else version.id
        failed = tuple((r, Violations.none()) for r in results)
        mistakes = tuple(message.splitlines()) if isinstance(exc, ContractError) else ()
        return Checked(contract.name, key, identity, failed, mistakes=mistakes)
    return checked


def _with_context(pipeline: Pipeline, checked: Checked, data: Reader, shown: int) -> Checked:
    """A check with what a page draws under its violations, and the history of the dataset."""
    from spatial_pipeline.pipeline.charted_history import charted_history
    from spatial_pipeline.report.scene import scene_of
    from spatial_pipeline.report.selection import selected

    found = [v for _, v in selected(checked.evaluations, shown)]
    past = charted_history(pipeline.store, checked.dataset, checked.partition)
    return replace(
        checked,
        scene=scene_of(data, found),
        history=past.versions,
        readers_see=past.readers_see,
    )


def _failed(rule: Rule, message: str) -> Result:
    """The result of a rule that was not reached; data that cannot be checked always block."""
    return Result(
        name=rule.check_name,
        rule=rule.rule,
        rule_hash=rule.hash,
        family=rule.family,
        severity=Severity.ERROR if rule.rule == READABLE.rule else rule.severity,
        status=Status.ERROR,
        message=message,
    )

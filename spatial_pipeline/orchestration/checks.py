"""The checks of a dataset: one op, one asset check per rule."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from spatial_pipeline.contract.database_url import redacted_all
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import OtherDataset, Rule
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.gate.wording import held_line
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration import metadata
from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.orchestration.keys import FAILED_RULES
from spatial_pipeline.orchestration.maps import maps_of
from spatial_pipeline.orchestration.openlineage import StepLineage
from spatial_pipeline.orchestration.partitions import partition_of_step, partitions_of
from spatial_pipeline.orchestration.progress import progress_of
from spatial_pipeline.orchestration.resources import SpatialResource

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.pipeline import Pipeline


def check_specs(contract: Contract) -> list[dg.AssetCheckSpec]:
    """One spec per rule; a rule of severity error blocks, one of severity warn never does.

    A WARN on a blocking check would let the downstream go in a run and hold it in declarative
    automation; so only rules of severity error are blocking. A rule with ``warn_at`` and
    ``error_at`` may end either way: its check does not block, the gate inside publishing does.
    """
    partitions = partitions_of(contract)
    return [
        dg.AssetCheckSpec(
            name=rule.check_name,
            asset=staged_key(contract.name),
            description=_description(rule),
            blocking=rule.severity is Severity.ERROR and not rule.graded,
            additional_deps=[
                published_key(o.dataset)
                for o in rule.others()
                # Without another one, a dataset is compared with what it published before.
                if isinstance(o, OtherDataset) and o.dataset != contract.name
            ],
            metadata={"family": rule.family.value, "iso_element": rule.iso_element},
            partitions_def=partitions,
        )
        for rule in contract.effective_rules
    ]


def checks_op(contract: Contract) -> dg.AssetChecksDefinition:
    """The step that checks a staged version; yields one result for every selected check.

    If a selected blocking check yields nothing, Dagster only logs a warning and runs the downstream
    assets; so a result for every selected name is yielded in all cases. When blocking rules fail,
    the step then fails with their names and counts, in place of Dagster's error with names only.
    """
    specs = check_specs(contract)
    blocking = {s.name for s in specs if s.blocking}
    severities = {r.check_name: r.severity for r in contract.effective_rules}

    @dg.multi_asset_check(
        name=f"{contract.name}__checks",
        specs=specs,
        description=f"Checks {contract.name} against its contract.",
        can_subset=True,
    )
    # Dagster reads a return annotation as the type of the outputs; a generator has none.
    async def checks(  # type: ignore[no-untyped-def]  # noqa: ANN202
        context: dg.AssetCheckExecutionContext, spatial: SpatialResource
    ):
        selected = sorted(k.name for k in context.selected_asset_check_keys)
        found: dict[str, dg.AssetCheckResult] = {}
        stopping: list[Result] = []
        try:
            partition = partition_of_step(contract, context)
            pipeline = spatial.pipeline(contract)
            version = pipeline.store.staged_version(contract.name, partition)
            shown = progress_of(contract.name, partition, "check")
            async with StepLineage(context, contract, "checks", partition) as lineage:
                lineage.reads(pipeline, version, ())
                audit = await pipeline.audit(contract, version, only=selected, progress=shown)
                stopping = [r for r in audit.results if r.blocks and r.name in blocking]
                lineage.reads(pipeline, version, audit.results)
                lineage.error = held_line(stopping) if stopping else None
            maps = await maps_of(pipeline.store, version, audit.results, context.log)
            found = {
                r.name: _result(contract, pipeline, version, r, maps.get(r.name))
                for r in audit.results
            }
        except Exception as exc:
            context.log.exception(f"the checks of {contract.name} could not run")
            reason = _in_words(exc)
        else:
            reason = "the rule gave no result"
        for name in selected:
            yield found.get(name) or dg.AssetCheckResult(
                passed=False,
                asset_key=staged_key(contract.name),
                check_name=name,
                severity=_severity(severities[name]),
                description=reason,
                metadata={"status": "error", "error": reason},
            )
        if stopping and found:
            raise _held(stopping)

    return checks


def _result(
    contract: Contract,
    pipeline: "Pipeline",
    version: Version,
    result: Result,
    picture: bytes | None,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=staged_key(contract.name),
        check_name=result.name,
        severity=_severity(result.severity),
        description=result.message,
        metadata=metadata.of_result(pipeline, version, result, picture),
    )


def _held(stopping: Sequence[Result]) -> dg.Failure:
    """The failure of a step that did its work and found violations of blocking rules."""
    reasons = [f"{r.name}: {r.status.value}: {r.message}" for r in stopping]
    return dg.Failure(
        description="\n".join([held_line(stopping), "", *reasons]),
        metadata={FAILED_RULES: dg.MetadataValue.json([r.name for r in stopping])},
        allow_retries=False,
    )


def _in_words(exc: Exception) -> str:
    if isinstance(exc, dg.Failure):
        return exc.description or "the step failed"
    return str(exc) if isinstance(exc, SpatialPipelineError) else f"{type(exc).__name__}: {exc}"


def _severity(severity: Severity) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if severity is Severity.ERROR else dg.AssetCheckSeverity.WARN


def _description(rule: Rule) -> str:
    parameters = rule.model_dump(
        mode="json", exclude_defaults=True, exclude={"rule", "name", "severity"}, by_alias=True
    )
    said = ", ".join(f"{k}: {v}" for k, v in redacted_all(parameters).items())
    text = (type(rule).__doc__ or "").strip()
    return f"{text}\n\n{said}" if said else text

"""Stand-ins for a contract with mistakes, which keep the dataset visible and alerted.

The other contracts of the code location load. The dataset keeps its assets, so what depends on them
still finds them; each has the check ``contract``, which fails with the mistakes.
"""

from __future__ import annotations

import logging

import dagster as dg

from spatial_pipeline.orchestration.keys import published_key, source_key, staged_key

logger = logging.getLogger("spatial_pipeline")
MISTAKES = "spatial_pipeline/mistakes"
"""Metadata of a stand-in asset: the mistakes, one a line."""
CHECK = "contract"
"""Name of the check that fails with the mistakes."""


def broken_definitions(name: str, kind: str, message: str) -> dg.Definitions:
    """Stand-in assets and checks of one dataset; a run of them fails with the mistakes.

    Args:
        name: name of the dataset, as far as the file says it.
        kind: kind of the dataset.
        message: the mistakes, one a line.

    """
    described = f"The contract has mistakes:\n\n```\n{message}\n```"
    made = [
        _asset(key, kind, message, described) for key in (staged_key(name), published_key(name))
    ]
    source = dg.AssetSpec(source_key(name), description=described, group_name="broken_contracts")
    return dg.Definitions(
        assets=[source, *made], asset_checks=[_check(d.key, message) for d in made]
    )


def broken_contracts(repository: dg.RepositoryDefinition) -> dict[str, str]:
    """Name of every dataset whose contract has mistakes → the mistakes."""
    found: dict[str, str] = {}
    for key, definition in repository.assets_defs_by_key.items():
        told = definition.specs_by_key[key].metadata.get(MISTAKES)
        if told is not None:
            found[key.path[0]] = str(getattr(told, "value", told))
    return found


def report_broken(instance: dg.DagsterInstance, name: str, message: str) -> None:
    """Writes failed evaluations of the check ``contract``, as no run evaluates it.

    Args:
        instance: the instance.
        name: name of the dataset.
        message: the mistakes.

    """
    for key in (staged_key(name), published_key(name)):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=CHECK,
                passed=False,
                metadata={"status": dg.MetadataValue.text("error")},
                severity=dg.AssetCheckSeverity.ERROR,
                description=message,
                blocking=True,
            )
        )


def log_mistakes(mistakes: str) -> None:
    """Writes the mistakes of a contract to the log of the code location."""
    logger.error("%s", mistakes)


def _asset(key: dg.AssetKey, kind: str, message: str, described: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=key,
        description=described,
        kinds={kind, "broken"},
        group_name="broken_contracts",
        metadata={MISTAKES: dg.MetadataValue.text(message)},
    )
    def stand_in() -> None:
        raise dg.Failure(description=message, allow_retries=False)

    return stand_in


def _check(key: dg.AssetKey, message: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key, name=CHECK, blocking=True, description="The contract can be loaded.")
    def loads() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.ERROR, description=message
        )

    return loads

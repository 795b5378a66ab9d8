"""Mistakes in the files of a code location, as problems of the alerts."""

from __future__ import annotations

import time
from collections.abc import Mapping

import dagster as dg

from spatial_pipeline.alert.incidents import Incident
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem, shortened
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.orchestration.alerts.run_reader import Location
from spatial_pipeline.orchestration.broken import CHECK, broken_contracts, report_broken

OPERATIONS = "operations"
"""Subject of mistakes in the operations file."""


def of_contracts(
    instance: dg.DagsterInstance,
    location: Location,
    incidents: Mapping[Key, Incident],
    mistakes: str,
) -> Observation:
    """The mistakes of all contracts; those that are new are also written as failed checks.

    An incident closes when the code location loads without that mistake.

    Args:
        instance: the instance.
        location: the code location.
        incidents: the open incidents.
        mistakes: mistakes in the operations file.

    """
    broken = broken_contracts(location.repository)
    facts = [_problem(name, told, f"{name}/staged") for name, told in sorted(broken.items())]
    for fact in facts:
        known = incidents.get(fact.key)
        if known is None or known.fact.summary != fact.summary:
            report_broken(instance, fact.key.dataset, broken[fact.key.dataset])
    if mistakes:
        facts.append(_problem(OPERATIONS, mistakes, None))
    return Observation.of(time.time(), facts, [k for k in incidents if k.kind is Kind.CONTRACT])


def _problem(name: str, told: str, asset: str | None) -> Problem:
    return Problem(
        Key(name, None, Kind.CONTRACT, CHECK),
        Severity.ERROR,
        shortened(told),
        status="error",
        asset=asset,
    )

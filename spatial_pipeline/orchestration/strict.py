"""Decides whether a code location loads although contracts have mistakes.

A running location loads: one typo must not stop the other datasets. Validation (``dg check defs``,
``dagster definitions validate``) and a location with ``SPATIAL_STRICT_CONTRACTS`` do not.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import dagster as dg

from spatial_pipeline.contract.load import load_project
from spatial_pipeline.errors import ContractError
from spatial_pipeline.settings import Settings

VALIDATING = "DAGSTER_IS_DEFS_VALIDATION_CLI"
"""Variable that both commands set to 1, as ``dagster definitions validate --help`` says."""

STRICT = "SPATIAL_STRICT_CONTRACTS"


def is_strict() -> bool:
    """True when a mistake in one contract must keep the code location from loading."""
    return os.environ.get(VALIDATING) == "1" or _strict(os.environ.get(STRICT))


def check_project(context: dg.ComponentLoadContext) -> None:
    """Checks all contracts of the project's ``defs`` folder, where the code location is strict.

    Raises:
        ContractError: every mistake of every file, as the command line tells them.

    """
    if not is_strict():
        return
    told = project_mistakes(Path(context.defs_module_path))
    if told:
        raise ContractError(told)


@cache
def _strict(written: str | None) -> bool:
    """The setting for a value of its variable: each dataset asks."""
    del written
    return Settings().strict_contracts


@cache
def project_mistakes(folder: Path) -> str:
    """All mistakes below a folder, one a line; once a process, not once a contract."""
    try:
        load_project([folder])
    except ContractError as exc:
        count = len(str(exc).splitlines())
        return f"{exc}\n{count} mistake{'s' if count > 1 else ''}"
    return ""

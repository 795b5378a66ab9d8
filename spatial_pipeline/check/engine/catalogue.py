"""Loads the checks of rules: of those that a contract names, or of all."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec

from spatial_pipeline.check.base import FAILURES
from spatial_pipeline.contract.custom import load_custom
from spatial_pipeline.contract.rules import Rule

RULES = "spatial_pipeline.check.rules"
FAMILIES = ("metadata", "validity", "topology", "parity")


def load_for(rules: Iterable[Rule]) -> None:
    """Imports the modules of some rules, so that their checks register themselves.

    A rule without a module here is of a user's own project: then all of these are imported.
    """
    for family, identity in {(rule.family, rule.rule) for rule in rules}:
        name = f"{RULES}.{family}.{identity}"
        if find_spec(name) is None:
            _load_custom()
        else:
            importlib.import_module(name)


@cache
def load() -> None:
    """Imports every module of the four families, so that each check registers itself.

    Then those of users' own projects; see :mod:`spatial_pipeline.contract.custom`.
    """
    for family in FAMILIES:
        package = importlib.import_module(f"{RULES}.{family}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    _load_custom()


@cache
def _load_custom() -> None:
    FAILURES.extend(load_custom("spatial_pipeline.checks").failures)

"""Loads every check of the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from spatial_pipeline.check.base import FAILURES
from spatial_pipeline.contract.custom import load_custom

FAMILIES = ("metadata", "validity", "topology", "parity")


@cache
def load() -> None:
    """Imports every module of the four families, so that each check registers itself.

    Then those of users' own projects; see :mod:`spatial_pipeline.contract.custom`.
    """
    for family in FAMILIES:
        package = importlib.import_module(f"spatial_pipeline.check.rules.{family}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    FAILURES.extend(load_custom("spatial_pipeline.checks").failures)

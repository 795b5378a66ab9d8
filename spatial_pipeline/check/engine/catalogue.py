"""Loads every check of the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

FAMILIES = ("metadata", "validity", "topology", "parity")


@cache
def load() -> None:
    """Imports every module of the four families, so that each check registers itself."""
    for family in FAMILIES:
        package = importlib.import_module(f"spatial_pipeline.check.rules.{family}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")

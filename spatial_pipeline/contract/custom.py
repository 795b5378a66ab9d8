"""Rules of users' own projects, found through entry points of installed packages.

A package names modules with models of rules in the group ``spatial_pipeline.rules``, and modules
with their checks in ``spatial_pipeline.checks``. One that cannot be loaded never stops the others;
a contract that names a rule that is missing then says why.
"""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

GROUPS = ("spatial_pipeline.rules", "spatial_pipeline.checks")


@dataclass(frozen=True)
class Custom:
    """Objects that the entry points of a group name.

    Attributes:
        modules: entry point → its module.
        failures: what is wrong with others, one sentence each.

    """

    modules: dict[str, ModuleType] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@cache
def points_of(group: str) -> tuple[EntryPoint, ...]:
    """Entry points of a group, of all installed packages; looked for once."""
    return tuple(point for point in _all_points() if point.group == group)


@cache
def _all_points() -> tuple[EntryPoint, ...]:
    found = entry_points()
    return tuple(point for group in GROUPS for point in found.select(group=group))


def load_custom(group: str) -> Custom:
    """Imports the modules of all entry points of a group."""
    found = Custom()
    for point in sorted(points_of(group), key=lambda p: (p.name, p.value)):
        name = f"entry point {point.name} of {group}"
        try:
            module = importlib.import_module(point.module)
        except Exception as exc:  # noqa: BLE001 - code of a user may raise anything
            found.failures.append(f"{name}: {type(exc).__name__}: {exc}")
            continue
        if getattr(module.__spec__, "_initializing", False):
            found.failures.append(
                f"{name}: {point.module} was imported first; import "
                "spatial_pipeline.contract.rules before it"
            )
            continue
        found.modules[name] = module
    return found


def custom_code() -> dict[str, str]:
    """Module → digest of its file, of all that the entry points name; an answer depends on them."""
    found = {}
    for group in GROUPS:
        for point in points_of(group):
            spec = find_spec(point.module)
            origin = None if spec is None else spec.origin
            if origin is not None:
                content = hashlib.sha256(Path(origin).read_bytes())
                found[point.module] = content.hexdigest()[:12]
    return found


__all__ = ["Custom", "custom_code", "load_custom", "points_of"]

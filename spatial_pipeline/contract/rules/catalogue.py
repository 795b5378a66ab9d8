"""The catalogue: rule id → model, whose module is imported when the rule is first asked for.

A contract uses few of the rules, and building the models of all takes longer than a small check.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from spatial_pipeline.contract.custom import Custom, load_custom
from spatial_pipeline.contract.rule_index import CUSTOM_MODELS, rule_index
from spatial_pipeline.contract.rules.base import Rule, rule_id

if TYPE_CHECKING:
    from spatial_pipeline.contract.models import DatasetContract

MODULES = (
    *("metadata", "formats", "attributes", "joins", "ranges", "statistics", "raster_metadata"),
    *("validity", "vertices"),
    "pixels",
    *("topology", "overlay", "nodes", "boundaries", "networks", "raster_topology"),
    *("parity", "delivery_parity", "keys", "raster_parity", "accuracy"),
)
"""Modules of ``contract/rules`` that hold models, by family, in the order of the catalogue."""


class Catalogue(Mapping[str, type[Rule]]):
    """Rule id → model, by family; rules of users' projects come last.

    Looking up one rule imports its module only. Iterating imports all modules, and so does looking
    up a rule that the index does not know. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._all: dict[str, type[Rule]] | None = None
        self._custom = Custom()

    def __getitem__(self, identity: str) -> type[Rule]:
        if self._all is None:
            indexed = rule_index().get(identity)
            found = {} if indexed is None else models_of(import_module(indexed.module))
            if identity in found:
                return found[identity]
        return self._loaded()[identity]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    @property
    def custom(self) -> Custom:
        """Modules of models that installed projects add, and what is wrong with others."""
        self._loaded()
        return self._custom

    def _loaded(self) -> dict[str, type[Rule]]:
        with self._lock:
            if self._all is None:
                # Set before projects are imported: they may look at the catalogue.
                self._all = {}
                for name in MODULES:
                    self._all.update(models_of(import_module(f"{__package__}.{name}")))
                self._add_custom(self._all)
            return self._all

    def _add_custom(self, found: dict[str, type[Rule]]) -> None:
        self._custom = load_custom(CUSTOM_MODELS)
        failures = self._custom.failures
        for name, module in self._custom.modules.items():
            added = models_of(module)
            if not added:
                failures.append(f"{name}: no model of a rule is in {module.__name__}")
            for identity in sorted(added.keys() & found.keys()):
                failures.append(f"{name}: there is a rule {identity!r} already")
            found.update({i: m for i, m in added.items() if i not in found})


def only_own_rules(contracts: Iterable[DatasetContract]) -> bool:
    """True when all rules of some contracts are of this package, none of a user's project."""
    package = f"{__package__}."
    return all(type(r).__module__.startswith(package) for c in contracts for r in c.rules)


@cache
def models_of(module: ModuleType) -> dict[str, type[Rule]]:
    """Rule id → model, of all models of rules that a module holds."""
    return {
        rule_id(value): value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Rule)
        and "Literal" in str(value.model_fields["rule"].annotation)
    }


__all__ = ["MODULES", "Catalogue", "models_of", "only_own_rules"]

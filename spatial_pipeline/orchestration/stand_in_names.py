"""Names of components, each given once while a code location loads.

Dagster fails the whole location where two components define the same assets or sensors, so the
second one becomes a stand-in with a name of its own.
"""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

import dagster as dg

from spatial_pipeline.contract.errors import Mistake
from spatial_pipeline.contract.operations import OperationsContract

_given: WeakKeyDictionary[object, dict[str, tuple[object, Path]]] = WeakKeyDictionary()
"""Per load of a location: name → place and file of the component that has it."""


def claim_dataset(context: dg.ComponentLoadContext, name: str, path: Path) -> Mistake | None:
    """Gives a name to a dataset; the mistake where another one has it already.

    Args:
        context: where the component is loaded.
        name: the name.
        path: file of the component.

    """
    return _claim(context, name, path, f"a dataset {name!r}")


def claim_operations(context: dg.ComponentLoadContext, path: Path) -> Mistake | None:
    """Makes a component the operations of its code location; the mistake where there are some.

    Args:
        context: where the component is loaded.
        path: file of the component.

    """
    kind = OperationsContract.type_name
    return _claim(context, kind, path, f"a component of the type {kind}")


def _claim(context: dg.ComponentLoadContext, name: str, path: Path, what: str) -> Mistake | None:
    given = _given.setdefault(context.component_tree.state_tracker, {})
    place, first = given.setdefault(name, (context.component_loc, path))
    if place == context.component_loc:
        return None
    where = Mistake(first, None, "").where
    return Mistake(path, None, f"there is already {what}: {where}")


def stand_in_name(context: dg.ComponentLoadContext, wanted: object, path: Path) -> str:
    """A free name for a stand-in: as the file says it, else that of its folder.

    Args:
        context: where the component is loaded.
        wanted: the name that the file says, as far as it is one.
        path: file of the component.

    """
    folder = "".join(c if c.isalnum() else "_" for c in path.parent.name)
    names = [wanted] if isinstance(wanted, str) and wanted.isidentifier() else []
    names += [folder, *(f"{folder}_{i}" for i in range(2, 1000))]
    return next(n for n in names if claim_dataset(context, n, path) is None)

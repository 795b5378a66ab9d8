"""Options that a call leaves out cost nothing.

Typer builds a validator for each option of a command, also for one that was not given, and imports
pydantic for it: a third of the time of a short command. The names of Typer used here are not
public: with a version that has others, or other arguments and fields, nothing is changed.
``test_imports.py`` shows that the installed one obeys.
"""

from __future__ import annotations

import dataclasses
from importlib import import_module
from typing import Any


def leave_out_unused_options() -> None:
    """Has Typer build the validator of an option when there is a value to validate."""
    try:
        core: Any = import_module("typer.core")
        build = core.build_runtime_param
        parameter: Any = import_module("typer._coercion").RuntimeParam
        arguments = build.__code__.co_varnames[: build.__code__.co_argcount]
        fields = [field.name for field in dataclasses.fields(parameter)]
    except (ImportError, AttributeError, TypeError):
        return
    if (arguments, fields) != (("descriptor",), ["parameter_info", "annotation"]):
        return

    @dataclasses.dataclass(frozen=True)
    class Deferred(parameter):  # type: ignore[misc]
        descriptor: Any

        def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
            return build(self.descriptor).coerce(value, param=param, ctx=ctx)

    def deferred(descriptor: Any) -> Deferred:
        return Deferred(
            parameter_info=descriptor.parameter_info,
            annotation=descriptor.annotation,
            descriptor=descriptor,
        )

    core.build_runtime_param = deferred


__all__ = ["leave_out_unused_options"]

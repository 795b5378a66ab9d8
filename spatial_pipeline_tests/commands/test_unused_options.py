"""Another Typer than the one that is known is left as it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import typer._coercion
import typer.core

from spatial_pipeline.commands.unused_options import leave_out_unused_options


def other_arguments(descriptor: Any, more: Any) -> None:
    """Stands for Typer's function in another release."""


@dataclasses.dataclass(frozen=True)
class OtherParameter:
    """Stands for Typer's class in another release."""

    parameter_info: Any


def test_another_function_or_class_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(typer.core, "build_runtime_param", other_arguments)
        leave_out_unused_options()
        assert typer.core.build_runtime_param is other_arguments  # type: ignore[comparison-overlap]
    built = typer._coercion.build_runtime_param
    with monkeypatch.context() as patch:
        patch.setattr(typer.core, "build_runtime_param", built)
        patch.setattr(typer._coercion, "RuntimeParam", OtherParameter)
        leave_out_unused_options()
        assert typer.core.build_runtime_param is built


def test_this_release_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    built = typer._coercion.build_runtime_param
    monkeypatch.setattr(typer.core, "build_runtime_param", built)
    leave_out_unused_options()
    assert typer.core.build_runtime_param is not built

"""Spatial data contracts for Dagster: nothing unproven reaches a reader.

The Dagster components are loaded when they are first asked for, so that the command line and
the rules work without importing Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_pipeline.orchestration.components import RasterDataset, VectorDataset
    from spatial_pipeline.orchestration.operations import Operations

__all__ = ["Operations", "RasterDataset", "VectorDataset"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from spatial_pipeline.orchestration import components, operations

        return getattr(operations if name == "Operations" else components, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*globals(), *__all__]

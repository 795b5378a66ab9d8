"""Spatial data contracts for Dagster: nothing unproven reaches a reader.

The Dagster components are loaded when they are first asked for, so that the command line and
the rules work without importing Dagster.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_pipeline.orchestration.components import RasterDataset, VectorDataset
    from spatial_pipeline.orchestration.defs_folder import load_from_defs_folder
    from spatial_pipeline.orchestration.operations import Operations
    from spatial_pipeline.orchestration.reading import PublishedIOManager, PublishedResource, gated
    from spatial_pipeline.pipeline.data_check import CheckReport, check, check_async
    from spatial_pipeline.pipeline.published import PublishedVersion, published, read

__all__ = [
    "CheckReport",
    "Operations",
    "PublishedIOManager",
    "PublishedResource",
    "PublishedVersion",
    "RasterDataset",
    "VectorDataset",
    "check",
    "check_async",
    "gated",
    "load_from_defs_folder",
    "published",
    "read",
]
_MODULES = {
    "CheckReport": "pipeline.data_check",
    "Operations": "orchestration.operations",
    "PublishedIOManager": "orchestration.reading",
    "PublishedResource": "orchestration.reading",
    "PublishedVersion": "pipeline.published",
    "RasterDataset": "orchestration.components",
    "VectorDataset": "orchestration.components",
    "check_async": "pipeline.data_check",
    "gated": "orchestration.reading",
    "load_from_defs_folder": "orchestration.defs_folder",
    "published": "pipeline.published",
    "read": "pipeline.published",
}

_CHECKING = ("CheckReport", "check", "check_async")


def __getattr__(name: str) -> Any:
    if name == "check":  # a package that can be called
        return import_module(f"{__name__}.check")
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    # Dagster's registry of components gets every listed name, and a code server needs no checks.
    return [*globals(), *(n for n in __all__ if n not in _CHECKING)]

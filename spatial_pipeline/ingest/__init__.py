"""Source → staged version: vector data become GeoParquet, rasters become COGs, with a profile.

Readers of formats and evidence about damaged files belong here; fetching is in ``sources``, and
no rule is evaluated here.

``stage`` is the entrance; its names are found here too, and imported when they are asked for, so
that the process that reads files imports no more than reading needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_pipeline.ingest.stage import (
        DEFAULTS,
        CageLimits,
        OpenedSource,
        SourceFiles,
        TransferLimits,
        counted_table,
        ingest,
        opened,
        resolve,
        unreadable,
        version_id,
    )

__all__ = [
    "DEFAULTS",
    "CageLimits",
    "OpenedSource",
    "SourceFiles",
    "TransferLimits",
    "counted_table",
    "ingest",
    "opened",
    "resolve",
    "unreadable",
    "version_id",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from spatial_pipeline.ingest import stage

    return getattr(stage, name)

"""The code location: every contract below ``defs/``."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from spatial_pipeline.orchestration.executor import EXECUTOR


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions of all contracts of this code location."""
    from spatial_pipeline.orchestration.defs_folder import load_from_defs_folder

    return dg.Definitions.merge(
        load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=EXECUTOR),
    )

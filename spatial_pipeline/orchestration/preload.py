"""Imports that every step needs, done once before the steps of a run are forked.

Importing starts no event loop, opens no file and connects to no server, so a fork inherits no state
that must not be shared; the one process that is started, the fork server of the readers of foreign
files, serves all steps. The garbage collector is paused during the imports (a fifth of the time),
and the imported objects are frozen, so that the forks do not scan them either: each step would
start with that (0.4 s) and write to all the shared memory. They are unfrozen at the end, for
libraries that count remaining objects.
"""

import atexit
import gc
from contextlib import suppress
from importlib import import_module

STORAGES = (
    "dagster_postgres",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.local_compute_log_manager",
    "upath.core",
)
"""Modules that Dagster itself imports when a step opens its instance: half a second per step.

Dagster has no public name for them. With a release that renames them, each step takes that half
second again.
"""

LIBRARIES = (
    "duckdb",
    "pyogrio",
    "rasterio",
    "spatial_pipeline.ingest.postgis.source",
    "spatial_pipeline.publish.postgis.publisher",
    "spatial_pipeline.sources.transfer",
)
"""Modules that are imported where they are used, which would be in every step."""

gc.disable()
try:
    from spatial_pipeline.check.engine import catalogue
    from spatial_pipeline.ingest.cage import client
    from spatial_pipeline.orchestration import dataset
    from spatial_pipeline.pipeline import pipeline

    catalogue.load()
    # It imports its libraries in parallel with this process, once for all steps.
    client.start()
    for module in (*LIBRARIES, *STORAGES):
        with suppress(ImportError):
            import_module(module)
finally:
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)

__all__ = ["STORAGES", "dataset", "pipeline"]

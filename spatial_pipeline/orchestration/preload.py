"""What every step needs, imported once before the steps of a run are forked.

Importing starts no event loop, opens no file and connects to no server, so a fork inherits nothing
that must not be shared; the one process that is started, which forks the readers of foreign files,
serves all steps alike. What is imported here is no garbage: no collection looks for some meanwhile
(a fifth of the time), nor in the forks, where each step would start with it (0.4 s) and write to
all the memory that they share. It is given back at the end, for libraries that count what is left.
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
"""What Dagster itself imports when a step opens its instance: half a second, each step.

Dagster has no public name for it. A release that calls them otherwise costs that half second,
nothing else.
"""

gc.disable()
try:
    from spatial_pipeline.check.engine import catalogue
    from spatial_pipeline.ingest.cage import client
    from spatial_pipeline.orchestration import dataset
    from spatial_pipeline.pipeline import pipeline

    catalogue.load()
    # It imports its libraries beside this process, once for all steps.
    client.start()
    for module in STORAGES:
        with suppress(ImportError):
            import_module(module)
finally:
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)

__all__ = ["STORAGES", "dataset", "pipeline"]

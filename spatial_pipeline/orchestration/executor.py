"""The executor of this code location: steps are forks of a preloaded process.

Dagster's default starts a new interpreter for every step, which first imports Dagster and
everything that ingest and rules need. Here a run imports them once, and its steps are forks of that
process. Use it in your own project with ``dg.Definitions(executor=EXECUTOR)``.
"""

import multiprocessing

import dagster as dg

PRELOADED = "spatial_pipeline.orchestration.preload"

EXECUTOR: dg.ExecutorDefinition = dg.multi_or_in_process_executor.configured(
    {"multiprocess": {"start_method": {"forkserver": {"preload_modules": [PRELOADED]}}}}
    if "forkserver" in multiprocessing.get_all_start_methods()
    else {"multiprocess": {}},
    name="preloading_executor",
)
"""Dagster's default executor, its steps forked from a process that has imported the pipeline."""

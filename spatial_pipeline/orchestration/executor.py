"""The executor of this code location: small runs in one process, steps of large ones in forks.

Dagster's default starts a new interpreter for every step, which first imports Dagster and
everything that ingest and rules need. Here the steps of small datasets (``small_runs.py``) run in
the run worker; those of others are forks of a process that has imported everything once, so that a
step which is killed for its memory does not end its run. While a run lives, it shows that it does
(``runtime/heartbeat.py``). Use it in your own project with ``dg.Definitions(executor=EXECUTOR)``.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEvent, ExecutorRequirement, multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from spatial_pipeline.orchestration.small_runs import prepare_worker, small_datasets
from spatial_pipeline.orchestration.sqlite_events import event_files_open
from spatial_pipeline.runtime.heartbeat import beating
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan

PRELOADED = "spatial_pipeline.orchestration.preload"
DEFAULT = dg.multi_or_in_process_executor
SHARED = ("retries", "step_dependency_config")
"""Settings that both kinds of execution have."""


class BeatingExecutor(dg.Executor):
    """Another executor, whose run shows that it lives, also while no step runs.

    A run of nothing but small datasets executes its steps in the run worker itself.
    """

    def __init__(self, inner: dg.Executor, in_worker: dg.Executor | None = None) -> None:
        """Chooses when the run begins.

        Args:
            inner: executor of a run.
            in_worker: executor of a small run; ``inner`` unless given.

        """
        self.inner = inner
        self.in_worker = in_worker

    @property
    def retries(self) -> RetryMode:
        """Whether steps are retried."""
        return self.inner.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """When a step may start."""
        return self.inner.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Executes the plan."""
        run_id = plan_context.run_id
        with beating(Settings().store, run_id), event_files_open(plan_context.instance, run_id):
            executor = self.inner
            steps = execution_plan.step_keys_to_execute
            small = small_datasets(plan_context.dagster_run, steps) if self.in_worker else []
            if small and self.in_worker is not None:
                prepare_worker(small)
                executor = self.in_worker
            yield from executor.execute(plan_context, execution_plan)


def _create(context: dg.InitExecutorContext) -> dg.Executor:
    inner = _default(context)
    written: Any = context.executor_config.get("multiprocess")
    if written is None:
        return BeatingExecutor(inner)
    config = {"in_process": {k: v for k, v in written.items() if k in SHARED}}
    return BeatingExecutor(inner, _default(context._replace(executor_config=config)))


def _default(context: dg.InitExecutorContext) -> dg.Executor:
    return DEFAULT.executor_creation_fn(context)  # type: ignore[misc]


def _requirements(config: Mapping[str, Any]) -> Sequence[ExecutorRequirement]:
    return multiple_process_executor_requirements() if "multiprocess" in config else []


EXECUTOR: dg.ExecutorDefinition = dg.ExecutorDefinition(
    name=DEFAULT.name,
    config_schema=DEFAULT.config_schema,  # type: ignore[arg-type]  # taken as it is
    requirements=_requirements,
    executor_creation_fn=_create,
    description=DEFAULT.description,
).configured(
    {"multiprocess": {"start_method": {"forkserver": {"preload_modules": [PRELOADED]}}}}
    if "forkserver" in multiprocessing.get_all_start_methods()
    else {"multiprocess": {}},
    name="preloading_executor",
)
"""Dagster's default executor, for small runs in one process, else with preloaded processes."""

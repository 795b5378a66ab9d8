"""The executor of this code location: steps are forks of a preloaded process.

Dagster's default starts a new interpreter for every step, which first imports Dagster and
everything that ingest and rules need. Here a run imports them once, and its steps are forks of that
process. While a run lives, it shows that it does (``runtime/heartbeat.py``). Use it in your own
project with ``dg.Definitions(executor=EXECUTOR)``.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster import DagsterEvent, ExecutorRequirement, multiple_process_executor_requirements
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig

from spatial_pipeline.runtime.heartbeat import beating
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan

PRELOADED = "spatial_pipeline.orchestration.preload"
DEFAULT = dg.multi_or_in_process_executor


class BeatingExecutor(dg.Executor):
    """Another executor, whose run shows that it lives, also while no step runs."""

    def __init__(self, inner: dg.Executor) -> None:
        self.inner = inner

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
        with beating(Settings().store, plan_context.run_id):
            yield from self.inner.execute(plan_context, execution_plan)


def _create(context: dg.InitExecutorContext) -> dg.Executor:
    return BeatingExecutor(DEFAULT.executor_creation_fn(context))  # type: ignore[misc]


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
"""Dagster's default executor, its steps forked from a process that has imported the pipeline."""

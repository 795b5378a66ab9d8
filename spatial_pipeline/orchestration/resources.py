"""Run-time resources of the assets and checks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.orchestration.reading import PublishedIOManager
from spatial_pipeline.runtime.heartbeat import STEP, beating
from spatial_pipeline.runtime.parent_death import end_with_parent
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.publish.postgis.pool import Database

CANCEL_S = 20.0
"""Longest wait for cancelled work to end."""


class SpatialResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the pipeline of a dataset in the environment of the run.

    The environment (``SPATIAL_STORE`` and the other variables) is read when a step begins, so that
    one code location serves every deployment.
    """

    _database: Database | None = PrivateAttr(None)
    _tasks: set[asyncio.Task[Any]] = PrivateAttr(default_factory=set)

    @asynccontextmanager
    async def yield_for_execution(  # type: ignore[override]
        self,
        context: dg.InitResourceContext,
    ) -> AsyncIterator[SpatialResource]:
        """The resource of one step, with a pool of the step's loop; it connects when it is used.

        Cancelling a run interrupts the loop, not the tasks on it: they are cancelled here, so that
        no thread and no server continues with abandoned work.
        """
        # A code server, a schedule or a sensor loads this module and needs no geometry library.
        from spatial_pipeline.pipeline.pipeline import database_of

        # A run worker that was killed would leave its steps at work.
        end_with_parent()
        own = SpatialResource()
        settings = Settings()
        async with AsyncExitStack() as stack:
            if context.run is not None:
                stack.enter_context(beating(settings.store, context.run.run_id + STEP))
            database = database_of(settings)
            if database is not None:
                own._database = await stack.enter_async_context(database.opened())
            try:
                yield own
            finally:
                left = {t for t in own._tasks if not t.done()}
                for task in left:
                    task.cancel()
                if left:
                    await asyncio.wait(left, timeout=CANCEL_S)

    def pipeline(self, contract: Contract) -> Pipeline:
        """The pipeline of one dataset; other datasets are read through the store."""
        from spatial_pipeline.pipeline.pipeline import Pipeline

        with contextlib.suppress(RuntimeError):  # a synchronous step has no running loop
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
        return Pipeline.of([contract], database=self._database)


SPATIAL = SpatialResource()
"""The one resource object: definitions of several datasets merge because they share it."""
READING = "spatial_published"
"""Key of the IO manager through which other assets load published datasets."""
RESOURCES = {"spatial": SPATIAL, READING: PublishedIOManager()}

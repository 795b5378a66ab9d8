"""What the assets and checks need at run time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.run import Pipeline
    from spatial_pipeline.store.postgis.pool import Database


class SpatialResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the pipeline of a dataset in the environment of the run.

    The environment (``SPATIAL_STORE`` and the other variables) is read when a step begins, so that
    one code location serves every deployment.
    """

    _database: Database | None = PrivateAttr(None)

    @asynccontextmanager
    async def yield_for_execution(  # type: ignore[override]
        self,
        context: dg.InitResourceContext,  # noqa: ARG002
    ) -> AsyncIterator[SpatialResource]:
        """The resource of one step, with a pool of the step's loop; it connects when it is used."""
        # A code server, a schedule or a sensor loads this module and needs no geometry library.
        from spatial_pipeline.run import database_of

        own = SpatialResource()
        async with AsyncExitStack() as stack:
            database = database_of(Settings())
            if database is not None:
                own._database = await stack.enter_async_context(database.opened())
            yield own

    def pipeline(self, contract: Contract) -> Pipeline:
        """The pipeline of one dataset; other datasets are read through the store."""
        from spatial_pipeline.run import Pipeline

        return Pipeline.of([contract], database=self._database)


SPATIAL = SpatialResource()
"""The one resource object: definitions of several datasets merge because they share it."""
RESOURCES = {"spatial": SPATIAL}

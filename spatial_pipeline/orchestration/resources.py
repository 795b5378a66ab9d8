"""What the assets and checks need at run time."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.run import Pipeline


class SpatialResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the pipeline of a dataset in the environment of the run.

    The environment (``SPATIAL_STORE`` and the other variables) is read when a step begins, so that
    one code location serves every deployment.
    """

    def pipeline(self, contract: Contract) -> Pipeline:
        """The pipeline of one dataset; other datasets are read through the store."""
        return Pipeline.of([contract])


SPATIAL = SpatialResource()
"""The one resource object: definitions of several datasets merge because they share it."""
RESOURCES = {"spatial": SPATIAL}

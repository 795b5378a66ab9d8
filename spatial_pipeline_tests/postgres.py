"""The throw-away server of the package, under the name that this suite uses."""

from spatial_pipeline.testing.postgis import (
    Cluster,
    NoPostgresError,
    find_programs,
    running_cluster,
)

__all__ = ["Cluster", "NoPostgresError", "find_programs", "running_cluster"]

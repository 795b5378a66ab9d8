"""Databases of Dagster instances on PostgreSQL, copied from one that has Dagster's tables."""

from __future__ import annotations

import secrets
from functools import cache

from dagster._core.test_utils import instance_for_test

from spatial_pipeline_tests.postgres import Cluster


def dagster_database(cluster: Cluster) -> str:
    """Name of a new database in which Dagster has made its tables."""
    name = f"dagster_{secrets.token_hex(4)}"
    cluster.psql(f"CREATE DATABASE {name} TEMPLATE {_template(cluster)}")
    return name


@cache
def _template(cluster: Cluster) -> str:
    """Dagster makes its tables once a server: that takes longer than to copy them."""
    name = f"template_{secrets.token_hex(4)}"
    cluster.psql(f"CREATE DATABASE {name}")
    url = cluster.dsn(name).replace("postgresql://", "postgresql+psycopg2://")
    with instance_for_test(overrides={"storage": {"postgres": {"postgres_url": url}}}) as made:
        # The storages are opened, and their tables made, when they are first asked.
        made.get_runs_count()
        made.all_instigator_state()
        made.event_log_storage.get_maximum_record_id()
    return name

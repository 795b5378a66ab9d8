"""A project with an empty PostGIS database of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.check import catalogue
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.store.postgis.projects import Project


@pytest.fixture
def project(postgres: Cluster, tmp_path: Path) -> Project:
    catalogue.load()
    database = postgres.new_database()
    postgres.psql("CREATE SCHEMA gis", database)
    return Project(tmp_path, postgres.dsn(database))

"""A project with an empty PostGIS database of its own."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project


@pytest.fixture(scope="session")
def template(postgres: Cluster) -> str:
    """A database with PostGIS and an empty schema, which copies much faster than it is made."""
    name = postgres.new_database("template")
    postgres.psql("CREATE SCHEMA gis", name)
    return name


@pytest.fixture
def project(postgres: Cluster, template: str, tmp_path: Path) -> Project:
    catalogue.load()
    database = f"test_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {database} TEMPLATE {template}")
    return Project(tmp_path, postgres.dsn(database))

"""A dataset with a table, through Dagster and through the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import dagster as dg
import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import Affine
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import idle_or_busy


@pytest.fixture
def dsn(postgres: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    database = postgres.new_database()
    postgres.psql("CREATE SCHEMA gis", database)
    monkeypatch.setenv("SPATIAL_DATABASE_URL", postgres.dsn(database))
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    return postgres.dsn(database)


def rows(dsn: str, statement: str) -> list[tuple[object, ...]]:
    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(r) for r in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_a_run_publishes_to_the_table_and_a_bad_one_does_not(dsn: str, tmp_path: Path) -> None:
    project = Project(tmp_path, publish={"table": "gis.points"})
    project.supply(GOOD)
    with dg.instance_for_test() as instance:
        assert run(project.definitions(), instance).success
        assert rows(dsn, "SELECT count(*) FROM gis.points") == [(3,)]
        project.supply(BAD)
        assert not run(project.definitions(), instance).success
        held = run(
            project.definitions(), instance, dg.AssetSelection.assets(["points", "published"])
        )
        assert not held.success
    assert rows(dsn, "SELECT count(*), count(geometry) FROM gis.points") == [(3, 3)]
    assert asyncio.run(idle_or_busy(dsn)) == 0


def test_only_steps_that_write_a_table_wait_for_the_pool(tmp_path: Path) -> None:
    def pools(project: Project) -> dict[str, set[str]]:
        graph = project.definitions().resolve_asset_graph()
        return {"/".join(key.path): graph.get(key).pools for key in graph.materializable_asset_keys}

    files = pools(Project(tmp_path))
    assert files == {"points/staged": set(), "points/published": set()}
    table = pools(Project(tmp_path, publish={"table": "gis.points"}))
    assert table == {"points/staged": set(), "points/published": {"postgis"}}


def test_a_raster_is_registered(dsn: str, tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "dem.tif", "w", driver="GTiff", width=30, height=40, count=1, dtype="uint16",
        crs="EPSG:32633", transform=Affine(10, 0, 500000, 0, -10, 4649776),
    ) as file:  # fmt: skip
        file.write(np.ones((1, 40, 30), dtype="uint16"))
    contract = RasterContract.model_validate(
        {"name": "dem", "source": {"uri": str(tmp_path / "dem.tif")}, "rules": []}
    )
    with dg.instance_for_test() as instance:
        assert run(dataset_definitions(contract), instance).success
    ((href, footprint, width),) = rows(
        dsn,
        "SELECT href, footprint ->> 'coordinates', profile ->> 'width'"
        " FROM spatial_pipeline.rasters WHERE dataset = 'dem'",
    )
    assert Path(str(href)).is_file()
    assert json.loads(str(footprint))[0][:2] == [[500000, 4649776], [500000, 4649376]]
    assert width == "30"


def test_the_command_line_publishes_rolls_back_and_says_what_is_missing(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    folder = tmp_path / "contracts" / "points"
    folder.mkdir(parents=True)
    attributes = {
        "name": "points",
        "source": {"uri": str(tmp_path / "points.geojson")},
        "key": ["id"],
        "publish": {"table": "gis.Points"},
        "rules": [{"rule": "not_empty"}],
    }
    document = {"type": "spatial_pipeline.VectorDataset", "attributes": attributes}
    (folder / "defs.yaml").write_text(yaml.safe_dump(document))
    where = ("--contracts", str(tmp_path / "contracts"))
    for points in (GOOD, GOOD[:2]):
        project.supply(points)
        done = CliRunner().invoke(app, ["run", *where])
        assert done.exit_code == 0, done.output
    assert rows(dsn, 'SELECT count(*) FROM gis."Points"') == [(2,)]
    assert CliRunner().invoke(app, ["rollback", "points", *where]).exit_code == 0
    assert rows(dsn, 'SELECT count(*) FROM gis."Points"') == [(3,)]
    monkeypatch.delenv("SPATIAL_DATABASE_URL")
    project.supply([*GOOD, [7, 7]])
    held = CliRunner().invoke(app, ["run", "--json", *where])
    assert held.exit_code == 1
    reasons = json.loads(held.stdout)["datasets"][0]["reasons"]
    assert reasons == ["publish.table is gis.Points, but SPATIAL_DATABASE_URL is not set"]
    monkeypatch.setenv("SPATIAL_DATABASE_URL", "postgresql+asyncpg://u@h/d")
    wrong = CliRunner().invoke(app, ["run", *where])
    assert wrong.exit_code == 2
    assert "not a libpq URI" in wrong.stderr

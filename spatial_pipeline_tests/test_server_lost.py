"""The server dies while it is read: the source of a dataset, and what a rule compares with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError, SourceLostError
from spatial_pipeline.ingest.postgis import source as postgis_source
from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.publish.postgis.projects import idle_or_busy
from spatial_pipeline_tests.publish.postgis.servers import Server, running_server

POINTS = (
    "SELECT i AS id, ST_SetSRID(ST_MakePoint(i, i), 4326)::geometry(Point, 4326) AS geom"
    ", repeat('x', 20000) AS pad FROM generate_series(1, 2000) i"
)
"""More rows than fit into the buffers between the server and us."""
LOST = r"public\.source was lost behind row \d+: 127\.0\.0\.1.* went away"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def dsn(server: Server) -> str:
    catalogue.load()
    name = server.cluster.new_database()
    server.cluster.psql(f"CREATE SCHEMA gis; CREATE TABLE source AS {POINTS};", name)
    server.cluster.psql(f"CREATE TABLE reference AS {POINTS}", name)
    return server.cluster.dsn(name)


def project(folder: Path, dsn: str, *rules: dict[str, Any]) -> tuple[Pipeline, VectorContract]:
    contract = VectorContract.model_validate(
        {
            "name": "points",
            "source": {"uri": "postgresql:", "layer": "public.source"},
            "key": ["id"],
            "publish": {"table": "gis.points"},
            "rules": [{"rule": "not_empty"}, *rules],
        }
    )
    return Pipeline.of([contract], Settings(store=folder, database_url=dsn)), contract  # type: ignore[arg-type]


def run(pipeline: Pipeline, contract: VectorContract) -> None:
    """One run: stage, check, publish."""
    version = pipeline.stage(contract)
    asyncio.run(pipeline.audit(contract, version))
    asyncio.run(pipeline.apublish(contract, version))


async def asked(dsn: str, sql: str) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def published(dsn: str) -> int:
    return int(asyncio.run(asked(dsn, "SELECT count(*) FROM gis.points")))


def dying(server: Server, monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    """The server is killed right after this step of reading it."""
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 4096)
    step = getattr(where, name)
    killed: list[str] = []

    async def stepped(*args: Any) -> Any:
        done = await step(*args)
        if not killed:
            killed.append(name)
            await asyncio.to_thread(server.kill)
        return done

    monkeypatch.setattr(where, name, stepped)


def test_the_source_is_lost_while_it_is_read(
    server: Server, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, contract = project(tmp_path, dsn)
    run(pipeline, contract)
    asyncio.run(asked(dsn, "DELETE FROM source WHERE id > 1500"))
    former = pipeline.store.published_version("points", None)
    with monkeypatch.context() as patch:
        dying(server, patch, postgis_source, "_fetched")
        with pytest.raises(SourceLostError, match=LOST):
            pipeline.stage(contract)
    server.start()
    assert pipeline.store.versions("points", None) == [former]
    assert published(dsn) == 2000
    run(pipeline, contract)
    assert published(dsn) == 1500
    assert asyncio.run(idle_or_busy(dsn)) == 0


@pytest.mark.parametrize(
    ("rule", "where", "step"),
    [
        ("same_features_as", postgis_source, "_fetched"),
        ("same_features_as", postgis_source.catalogue, "relation"),
        ("same_count_as", postgis_source.catalogue, "relation"),
    ],
    ids=["rows", "fingerprint", "count"],
)
def test_what_a_rule_compares_with_is_lost_during_the_check(
    server: Server, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    rule: str, where: Any, step: str,
) -> None:  # fmt: skip
    other = {"uri": "postgresql:", "layer": "public.reference"}
    pipeline, contract = project(tmp_path, dsn, {"rule": rule, "other": other})
    run(pipeline, contract)
    former = pipeline.store.published_version("points", None)
    delete = "DELETE FROM {} WHERE id > 1500"
    asyncio.run(asked(dsn, delete.format("source")))
    asyncio.run(asked(dsn, delete.format("reference")))
    version = pipeline.stage(contract)
    with monkeypatch.context() as patch:
        dying(server, patch, where, step)
        audit = asyncio.run(pipeline.audit(contract, version))
    statuses = {r.name: r.status.value for r in audit.results}
    assert statuses.pop(rule) == "error"
    assert set(statuses.values()) == {"passed"}
    (lost,) = (r for r in audit.results if r.name == rule)
    assert "went away" in lost.message
    assert "127.0.0.1" in lost.message
    server.start()
    with pytest.raises(GateClosedError, match=rule):
        asyncio.run(pipeline.apublish(contract, version))
    assert pipeline.store.published_version("points", None) == former
    assert published(dsn) == 2000
    run(pipeline, contract)
    assert published(dsn) == 1500
    assert asyncio.run(idle_or_busy(dsn)) == 0

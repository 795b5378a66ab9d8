"""A table as a dataset, and as what a dataset is compared with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.errors import RuleError, SourceLostError
from spatial_pipeline.ingest.postgis import source as postgis_source
from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration.assets import source_spec
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.pipeline.comparison_data import Comparisons
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.root_files import OTHERS
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]

POINTS = (
    "SELECT i AS id, 'n' || i AS name, ST_SetSRID(ST_MakePoint(i, i), 4326)::geometry(Point, 4326)"
    " AS geom FROM generate_series(1, 2000) i"
)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that read rows, as they are sent."""
    sent: list[str] = []
    opened = postgis_source._opened

    async def counted(connection: Any, sql: str) -> Any:
        sent.append(sql)
        return await opened(connection, sql)

    monkeypatch.setattr(postgis_source, "_opened", counted)
    return sent


def _pipeline(database: Database, folder: Path, **changes: Any) -> tuple[Pipeline, VectorContract]:
    contract = VectorContract.model_validate(
        {
            "name": "points",
            "source": {"uri": "postgresql:", "layer": "public.points"},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "crs", "equals": "EPSG:4326"}],
            **changes,
        }
    )
    settings = Settings(store=folder / "store", database_url=SecretStr(database.uri))
    return Pipeline.of([contract], settings), contract


def _other(pipeline: Pipeline, contract: VectorContract, uri: str, layer: str | None) -> Any:
    rule = contract.effective_rules[0]
    other = OtherSource(uri=uri, layer=layer)
    version = Version("points", None, "x")
    compared = Comparisons(
        pipeline.stager,
        pipeline.contracts,
        contract,
        version,
        pipeline.store,
        False,
        lambda *_: None,
    )
    return compared.other(rule, other)


def test_a_table_is_staged_checked_and_published(
    database: Database, tmp_path: Path, reads: list[str]
) -> None:
    database.sql(f"CREATE TABLE points AS {POINTS}")
    pipeline, contract = _pipeline(database, tmp_path)
    version = pipeline.stage(contract)
    assert asyncio.run(pipeline.audit(contract, version)).verdict.passed
    pipeline.publish(contract, version)
    assert pipeline.read("points").profile.count == 2000
    assert pipeline.stage(contract) == version
    assert len(reads) == 1
    database.sql("UPDATE points SET name = 'x' WHERE id = 1000")
    assert pipeline.stage(contract) != version
    assert len(reads) == 2


def test_a_table_to_compare_with_is_read_once_and_unchanged_not_at_all(
    database: Database, tmp_path: Path, reads: list[str]
) -> None:
    database.sql(f"CREATE TABLE reference AS {POINTS}")
    pipeline, contract = _pipeline(database, tmp_path)
    first = _other(pipeline, contract, "postgresql:", "public.reference")
    assert first.profile.count == 2000
    assert len(reads) == 1
    for uri, layer in (
        ("postgresql:", "public.reference"),
        ("postgresql:?table=public.reference", None),
        (database.uri, "public.reference"),
    ):
        assert _other(pipeline, contract, uri, layer).version_id == first.version_id
    database.sql("UPDATE reference SET id = id")
    database.sql("VACUUM FULL reference")
    assert _other(pipeline, contract, "postgresql:", "public.reference").version_id == (
        first.version_id
    )
    assert len(reads) == 1
    assert len(pipeline.store.versions(OTHERS, None)) == 1
    database.sql("DELETE FROM reference WHERE id = 7")
    later = _other(pipeline, contract, "postgresql:", "public.reference")
    assert later.profile.count == 1999
    assert len(reads) == 2


def test_a_table_is_not_read_again_to_be_compared_with_itself(
    database: Database, tmp_path: Path, reads: list[str]
) -> None:
    database.sql(f"CREATE TABLE itself AS {POINTS}")
    other = {"uri": database.uri, "layer": "public.itself"}
    pipeline, contract = _pipeline(
        database, tmp_path,
        source={"uri": "postgresql:", "layer": "public.itself"},
        rules=[{"rule": "same_features_as", "other": other}],
    )  # fmt: skip
    version = pipeline.stage(contract)
    assert asyncio.run(pipeline.audit(contract, version)).verdict.passed
    assert len(reads) == 1
    database.sql("DELETE FROM itself WHERE id = 7")
    later = asyncio.run(pipeline.audit(contract, version))
    assert "1 new" in next(r for r in later.results if r.rule == "same_features_as").message
    assert len(reads) == 2


def test_a_table_is_counted_by_its_server(
    database: Database, tmp_path: Path, reads: list[str]
) -> None:
    database.sql(
        f"CREATE TABLE few AS {POINTS}",
        f"CREATE VIEW many AS {POINTS.replace('2000', '2003')}",
    )
    few, many, gone = ({"uri": f"postgresql:?table={t}"} for t in ("few", "public.many", "x.y"))
    pipeline, contract = _pipeline(
        database, tmp_path,
        source={"uri": "postgresql:", "layer": "public.few"},
        rules=[
            {"rule": "same_count_as", "name": "same", "other": few},
            {"rule": "same_count_as", "name": "more", "other": many},
            {"rule": "same_count_as", "name": "near", "other": many, "tolerance": 3},
            {"rule": "same_count_as", "name": "gone", "other": gone},
        ],
    )  # fmt: skip
    version = pipeline.stage(contract)
    results = {r.name: r for r in asyncio.run(pipeline.audit(contract, version)).results}
    told = {n: r.status.value for n, r in results.items() if r.rule == "same_count_as"}
    assert told == {"same": "passed", "more": "failed", "near": "passed", "gone": "error"}
    assert results["more"].message == "2000 features here, 2003 in the other: 3 fewer"
    assert "no table or view 'x.y'" in results["gone"].message
    assert len(reads) == 1
    assert pipeline.store.versions(OTHERS, None) == []


def test_a_condition_is_ours_so_the_table_is_read(
    database: Database, tmp_path: Path, reads: list[str]
) -> None:
    database.sql(
        f"CREATE TABLE lesser AS {POINTS}",
        f"CREATE TABLE greater AS {POINTS.replace('2000', '2003')}",
    )
    other = {"uri": "postgresql:", "layer": "public.greater"}
    pipeline, contract = _pipeline(
        database, tmp_path,
        source={"uri": "postgresql:", "layer": "public.lesser"},
        rules=[{"rule": "same_count_as", "other": other, "where": "id <= 1500"}],
    )  # fmt: skip
    audit = asyncio.run(pipeline.audit(contract, pipeline.stage(contract)))
    (told,) = (r for r in audit.results if r.rule == "same_count_as")
    assert (told.passed, told.message) == (True, "1500 features here, 1500 in the other")
    assert len(reads) == 2


def test_a_rule_compares_with_a_table(database: Database, tmp_path: Path, reads: list[str]) -> None:
    database.sql(
        f"CREATE TABLE inner_points AS {POINTS}",
        "CREATE TABLE area AS SELECT ST_MakeEnvelope(0, 0, 1999.5, 1999.5, 4326) AS geom",
    )
    other = {"uri": database.uri, "layer": "public.area"}
    pipeline, contract = _pipeline(
        database,
        tmp_path,
        source={"uri": "postgresql:", "layer": "public.inner_points"},
        rules=[
            {"rule": "must_be_covered_by", "other": other, "name": "inside"},
            {"rule": "must_be_covered_by", "other": other, "name": "again"},
        ],
    )
    version = pipeline.stage(contract)
    audit = asyncio.run(pipeline.audit(contract, version))
    inside = next(r for r in audit.results if r.name == "inside")
    assert (inside.status.value, inside.violations) == ("failed", 1), inside.message
    assert "2000" in str(inside.sample[0].keys)
    assert len(reads) == 2
    stored = "".join(f.read_text(encoding="utf-8") for f in (tmp_path / "store").rglob("*.json"))
    assert database.cluster.password not in stored
    assert database.cluster.password not in repr(audit)
    definitions = dataset_definitions(contract)
    checks = [k for c in definitions.asset_checks or () for k in c.check_specs]
    assert len(checks) == 4
    assert database.cluster.password not in repr(checks)
    assert database.cluster.password not in repr(source_spec(contract))


def test_says_what_is_missing_without_the_password(database: Database, tmp_path: Path) -> None:
    pipeline, contract = _pipeline(database, tmp_path)
    uri = database.uri.replace("postgres:", "nobody:", 1)
    with pytest.raises(RuleError, match="authentication failed") as caught:
        _other(pipeline, contract, uri, "public.x")
    assert database.cluster.password not in str(caught.value)
    assert database.cluster.password not in repr(pipeline)
    assert database.cluster.password not in repr(Settings(database_url=SecretStr(database.uri)))


def test_a_missing_table_is_a_failed_result(database: Database, tmp_path: Path) -> None:
    source = {"uri": database.uri, "layer": "public.not_there"}
    pipeline, contract = _pipeline(database, tmp_path, source=source)
    version = pipeline.stage(contract)
    audit = asyncio.run(pipeline.audit(contract, version))
    assert not audit.verdict.passed
    readable = next(r for r in audit.results if r.name == "readable")
    assert "no table or view 'public.not_there'" in readable.message
    stored = "".join(f.read_text(encoding="utf-8") for f in (tmp_path / "store").rglob("*.json"))
    assert database.cluster.password not in stored
    assert database.cluster.password not in readable.message


def test_a_table_that_is_lost_half_way_is_read_anew(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than fits into the buffers between the server and us.
    database.sql(f"CREATE TABLE halfway AS SELECT *, repeat('x', 20000) AS pad FROM ({POINTS}) p")
    source = {"uri": "postgresql:", "layer": "public.halfway"}
    pipeline, contract = _pipeline(database, tmp_path, source=source)
    fetched = postgis_source._fetched
    with monkeypatch.context() as patch:
        patch.setattr(postgis_stream, "BATCH_BYTES", 4096)

        async def lost(stream: Any) -> Any:
            rows = await fetched(stream)
            database.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'spatial_pipeline source'"
            )
            return rows

        patch.setattr(postgis_source, "_fetched", lost)
        with pytest.raises(SourceLostError, match=r"public\.halfway was lost behind row"):
            pipeline.stage(contract)
    assert pipeline.store.versions("points", None) == []
    version = pipeline.stage(contract)
    assert pipeline.store.open(version).profile.count == 2000

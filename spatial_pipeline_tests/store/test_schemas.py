"""Which schema readers know, what differs, and what a person accepted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.model.schema_diff import SchemaApproval
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.schema_approval import accept, pending
from spatial_pipeline.store.contents import column_contents
from spatial_pipeline_tests.orchestration.schema_location import write_source
from spatial_pipeline_tests.pipeline.test_staleness import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.contract = made.reading(on_schema_change="hold", rules=[])
    made.build("p01")
    return made


def build(project: Project, key: str) -> list[str]:
    """Why the partition is held; empty when it was published."""
    pipeline: Pipeline = project.pipeline
    version = pipeline.stage(project.contract, key)
    asyncio.run(pipeline.audit(project.contract, version))
    decision = pipeline.decide(project.contract, version)
    if decision.open:
        pipeline.publish(project.contract, version)
        return []
    with pytest.raises(GateClosedError) as refused:
        pipeline.publish(project.contract, version)
    assert refused.value.reasons == decision.reasons
    return list(decision.reasons)


def test_held_until_a_person_accepts_exactly_this(project: Project) -> None:
    write_source(project.folder, "p01", ["text"])
    (reason,) = build(project, "p01")
    assert "column code was int32, is string" in reason
    assert project.pipeline.read("parcels", "p01").profile.count == 2

    (held,) = pending(project.pipeline, project.contract)
    assert held.evidence.fingerprint[:12] in reason
    accepted = accept(project.pipeline, project.contract, None, held, "ann")
    assert (accepted.by, accepted.change) == ("ann", "column code was int32, is string")
    assert project.pipeline.store.acceptances("parcels", "p01") == [accepted]
    assert pending(project.pipeline, project.contract) == []
    assert build(project, "p01") == []
    assert project.pipeline.read("parcels", "p01").profile.count == 1

    write_source(project.folder, "p01", [1.5])
    (reason,) = build(project, "p01")
    assert "column code was string, is double" in reason


def test_the_first_of_a_partition_is_compared_with_the_others(project: Project) -> None:
    write_source(project.folder, "p02", ["text"])
    (reason,) = build(project, "p02")
    assert " of p01: column code was int32, is string;" in reason
    assert build(project, "p03") == []


def test_accepted_for_one_partition(project: Project) -> None:
    for key in ("p02", "p03"):
        write_source(project.folder, key, ["text"])
        assert build(project, key)
    held = pending(project.pipeline, project.contract, ["p02"])
    accept(project.pipeline, project.contract, "p02", held[0], "ann")
    assert [p.version.partition for p in pending(project.pipeline, project.contract)] == ["p03"]
    assert build(project, "p02") == []


def test_the_very_first_is_accepted(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.contract = project.reading(on_schema_change="hold", rules=[])
    version = project.pipeline.stage(project.contract, "p01")
    assert project.pipeline.store.schema_evidence(version) is None
    assert build(project, "p01") == []


def test_a_source_that_cannot_be_read_has_no_schema(project: Project) -> None:
    (project.folder / "p01.geojson").write_text("{")
    reasons = build(project, "p01")
    assert [r.split(":")[0] for r in reasons] == ["readable", "staged_matches_source"]


def test_a_rollback_is_a_persons_word(project: Project) -> None:
    first = project.pipeline.store.published_version("parcels", "p01")
    project.contract = project.reading(on_schema_change="backfill", rules=[])
    write_source(project.folder, "p01", ["text"])
    assert build(project, "p01") == []
    project.contract = project.reading(on_schema_change="hold", rules=[])
    asyncio.run(project.pipeline.roll_back(project.contract, "p01"))
    assert project.pipeline.store.published_version("parcels", "p01") == first


def test_accepting_twice_keeps_the_last_word(project: Project) -> None:
    store = project.pipeline.store
    for name in ("ann", "bob"):
        store.accept("parcels", "p01", SchemaApproval("s", name, "2026-01-01T00:00:00+00:00", "x"))
    store.accept("parcels", None, SchemaApproval("t", "cid", "2026-01-01T00:00:00+00:00", "y"))
    assert [a.by for a in store.acceptances("parcels", "p01")] == ["cid", "bob"]
    assert [a.by for a in store.acceptances("parcels", "p02")] == ["cid"]


def test_a_damaged_list_of_acceptances_says_so(project: Project) -> None:
    (project.pipeline.store.folder("parcels", "p01") / "accepted.json").write_text("[]")
    with pytest.raises(StoreError, match=r"accepted\.json"):
        project.pipeline.store.acceptances("parcels", "p01")


def test_staging_says_under_what(project: Project) -> None:
    store = project.pipeline.store
    staging = store.staging("parcels", "p01")
    assert staging is not None
    assert staging.version == store.staged_version("parcels", "p01").id
    assert staging.ingest is not None
    assert staging.seen is not None
    assert store.staging("parcels", "p02") is None
    assert store.staged_partitions("parcels") == ["p01"]


def contents(path: Path, **columns: Any) -> dict[str, str]:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return column_contents(path)


def test_contents_of_columns(tmp_path: Path) -> None:
    one = contents(
        tmp_path / "a.parquet",
        a=[1, 2, 3, None], b=[1, None, 3, 2], c=[1, 2, 4, None], d=[7, 7, 7, 7], e=[None] * 4,
    )  # fmt: skip
    assert set(one) == {"a", "b", "c"}
    assert one["a"] == one["b"] != one["c"]
    assert column_contents(tmp_path / "none.parquet") == {}
    assert column_contents(tmp_path / "data.tif") == {}
    assert contents(tmp_path / "empty.parquet", a=pa.array([], pa.int64())) == {}

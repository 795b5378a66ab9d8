"""Reading a table that is given up: the server stops working for us."""

from __future__ import annotations

import asyncio
import gc
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.database_url import parse
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import GivenUpError
from spatial_pipeline.ingest import opened
from spatial_pipeline.ingest.postgis import session as postgis_session
from spatial_pipeline.ingest.postgis import source as postgis_source
from spatial_pipeline.ingest.postgis import stream as postgis_stream
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.runtime.cancellation import Cancellation, obeying
from spatial_pipeline.runtime.loop_thread import PrivateLoop
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]

SLOW = "SELECT 1 AS id, pg_sleep(100)::text AS slept"


def busy(database: Database) -> int:
    """Sessions of ours on the server, after as long as an orderly end may take."""
    # Less than the five seconds after which the server itself would miss a dead client.
    for _ in range(30):
        if not database.sessions():
            return 0
        time.sleep(0.1)
    return database.sessions()


def at_work(database: Database) -> None:
    """Returns when the server works for us."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'spatial_pipeline%'"
        " AND state = 'active'"
    )
    while database.cluster.psql(asked) == "0":
        time.sleep(0.02)


def contract(source: dict[str, Any], rules: list[Any]) -> VectorContract:
    return VectorContract.model_validate({"name": "d", "source": source, "rules": rules})


def test_a_rule_whose_time_is_up_stops_the_query(database: Database, tmp_path: Path) -> None:
    catalogue.load()
    database.sql(f"CREATE VIEW slow AS {SLOW}", "CREATE TABLE quick AS SELECT 1 AS id")
    other = {"uri": database.uri, "layer": "public.slow"}
    of = contract(
        {"uri": database.uri, "layer": "public.quick"},
        [{"rule": "same_features_as", "other": other, "timeout_s": 1.0}],
    )
    pipeline = Pipeline.of([of], Settings(store=tmp_path))
    audit = asyncio.run(pipeline.audit(of, pipeline.stage(of)))
    assert {r.name: r.status.value for r in audit.results}["same_features_as"] == "timeout"
    assert busy(database) == 0


def test_a_cancelled_check_stops_the_query(database: Database, tmp_path: Path) -> None:
    of = contract({"uri": database.uri, "query": SLOW}, [])
    pipeline = Pipeline.of([of], Settings(store=tmp_path))

    async def main() -> None:
        task = asyncio.create_task(check_all(pipeline, [(of, None)], None))
        await asyncio.to_thread(at_work, database)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert busy(database) == 0
    assert Store(tmp_path).versions("d", None) == []


@pytest.mark.parametrize("moment", ["rows", "pieces", "connecting"])
def test_given_up_at_any_moment_nothing_stays_open(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(postgis_stream, "BATCH_BYTES", 4096)
    monkeypatch.setattr(postgis_source, "MAX_ROWS", 16)
    flag = Cancellation()
    fetched, connected = postgis_source._fetched, postgis_session._connected

    async def cancelling(stream: Any) -> Any:
        rows = await fetched(stream)
        if moment == "rows":
            asyncio.get_running_loop().run_in_executor(None, flag.cancel)
            await asyncio.sleep(60)
        return rows

    async def late(*args: Any) -> Any:
        connection = await connected(*args)
        if moment == "connecting":
            asyncio.get_running_loop().run_in_executor(None, flag.cancel)
            await asyncio.sleep(60)
        return connection

    monkeypatch.setattr(postgis_source, "_fetched", cancelling)
    monkeypatch.setattr(postgis_session, "_connected", late)
    source = Source(uri=database.uri, query="SELECT i AS id FROM generate_series(1, 5000) i")

    def stage(folder: Path) -> None:
        from spatial_pipeline.runtime.cancellation import between

        with opened("vector", source, None, tmp_path) as reading:
            tell = between(lambda *_: flag.cancel() if moment == "pieces" else None)
            reading.ingest(folder, tell)

    with obeying(flag), pytest.raises(GivenUpError):
        stage(tmp_path)
    assert busy(database) == 0


def test_given_up_before_its_first_step_no_coroutine_is_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, flag, start = parse(database.uri, None), Cancellation(), PrivateLoop.start

    def late(self: PrivateLoop, work: Any) -> Any:
        self._loop.call_soon_threadsafe(time.sleep, 0.2)
        begun = start(self, work)
        flag.cancel()
        return begun

    monkeypatch.setattr(PrivateLoop, "start", late)
    with warnings.catch_warnings(record=True) as said, obeying(flag):
        warnings.simplefilter("always")
        with pytest.raises(GivenUpError), postgis_session.session(address):
            pytest.fail("nobody waits for the session any more")
        gc.collect()
    assert [str(w.message) for w in said] == []
    assert busy(database) == 0

"""A held partition that comes from a table is tried again when the table changes, and only then."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.staleness import outdated
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.ingest.tables import Database, database

__all__ = ["database"]
KEYS = ["north", "south"]


class Tables:
    """A table for each partition, one row of which has no code."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.settings = Settings.model_validate(
            {"store": folder / "store", "database_url": database.uri}
        )
        self.contract = VectorContract.model_validate(
            {
                "name": "parcels",
                "source": {"uri": "postgresql:?table=parcels_{partition}"},
                "partitions": {"static": KEYS},
                "on_schema_change": "backfill",
                "rules": [{"rule": "not_null", "columns": ["code"]}],
            }
        )
        for key in KEYS:
            database.sql(
                f"CREATE TABLE parcels_{key}"
                " (id int PRIMARY KEY, code text, g geometry(Point, 4326))",
                f"INSERT INTO parcels_{key} VALUES (1, NULL, ST_Point(1, 1, 4326))",
            )

    def pipeline(self) -> Pipeline:
        return Pipeline.of([self.contract], self.settings)

    def build(self, key: str) -> None:
        pipeline = self.pipeline()
        version = pipeline.stage(self.contract, key)
        asyncio.run(pipeline.audit(self.contract, version))
        try:
            pipeline.publish(self.contract, version)
        except GateClosedError:
            return

    def outdated(self) -> dict[str, str]:
        return {o.partition: o.why for o in outdated(self.pipeline(), self.contract, KEYS)}

    def settle(self) -> None:
        """Builds until the server has written down in its books what was done before."""
        for _ in range(20):
            found = self.outdated()
            for key in found:
                self.build(key)
            if not found:
                return
        pytest.fail("what is held is tried again and again")


@pytest.fixture
def tables(tmp_path: Path, database: Database) -> Tables:
    made = Tables(tmp_path, database)
    for key in KEYS:
        made.build(key)
    return made


def test_held_until_its_table_changes(tables: Tables, database: Database) -> None:
    tables.settle()
    time.sleep(1.5)
    tables.settle()
    assert tables.outdated() == {}
    database.sql("UPDATE parcels_north SET code = 'a'")
    while not (found := tables.outdated()):
        time.sleep(0.1)
    assert found == {"north": "held, and its source has changed since"}
    tables.build("north")
    assert tables.pipeline().store.published_version("parcels", "north")
    assert tables.outdated() == {}

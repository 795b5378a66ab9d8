"""A database of thousands of tables: a run looks at its own and scans no list of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.publish.postgis.projects import Project, contract
from spatial_pipeline_tests.publish.postgis.test_ownership import publish
from spatial_pipeline_tests.publish.postgis.test_publisher import run
from spatial_pipeline_tests.publish.postgis.test_readers import script

TABLES = 5000
READ = (
    "SELECT sum(pg_stat_get_tuples_returned(c)) FROM unnest(ARRAY['pg_class', 'pg_attribute',"
    " 'pg_attrdef', 'pg_constraint', 'pg_depend', 'pg_description', 'pg_index', 'pg_inherits',"
    " 'pg_rewrite', 'pg_statistic', 'pg_trigger', 'pg_type', 'spatial_pipeline.parts',"
    " 'spatial_pipeline.publications', 'spatial_pipeline.tables',"
    " 'spatial_pipeline.versions']::regclass[]) AS c"
)
"""Rows that sequential scans read; the views of statistics scan pg_class themselves."""
MANY = f"""
    DO $$ BEGIN
        FOR i IN 1..{TABLES} LOOP
            EXECUTE format('CREATE TABLE gis.t%s (id int, geometry geometry(Point, 4326))', i);
            IF i % 500 = 0 THEN COMMIT; END IF;
        END LOOP;
    END $$;
"""
LEDGER = f"""
    INSERT INTO spatial_pipeline.tables SELECT 'gis', 't' || i, 'd' || i
        FROM generate_series(1, {TABLES}) AS i;
    INSERT INTO spatial_pipeline.parts
        SELECT 'gis', 't' || i || '__' || state, 't' || i, 'd' || i, NULL, 'v', state
        FROM generate_series(1, {TABLES}) AS i, unnest('{{current,previous}}'::text[]) AS state;
    INSERT INTO spatial_pipeline.versions
        SELECT 'd' || i, NULL, 'v', '{{"columns": []}}', '{{}}'
        FROM generate_series(1, {TABLES}) AS i;
    INSERT INTO spatial_pipeline.publications
        SELECT 'd' || i, NULL, 'v', 'h', '2026-01-01', '{{}}', '{{}}'
        FROM generate_series(1, {TABLES}) AS i;
    ANALYZE;
"""


def rows_scanned(project: Project, act: Callable[[], Any]) -> int:
    """Fewest rows of sequential scans, system catalogues included, in three attempts.

    The autovacuum reads all of pg_class now and then.
    """
    least = []
    for _ in range(3):
        ((before,),) = run(project.dsn, READ)
        act()
        ((after,),) = run(project.dsn, READ)
        least.append(after - before)
    return int(min(least))


@pytest.mark.timeout(300)
def test_neither_publishing_nor_reading_scans_all_tables(project: Project) -> None:
    of = contract(project.folder)
    version = publish(project, of, 5)
    script(project.dsn, MANY)
    script(project.dsn, LEDGER)
    pipeline = project.pipeline()
    assert rows_scanned(project, lambda: asyncio.run(pipeline.apublish(of, version))) < TABLES
    counts = iter(range(6, 9))
    assert rows_scanned(project, lambda: publish(project, of, next(counts))) < TABLES
    reading = VectorContract.model_validate(
        {
            "name": "read",
            "source": {"uri": project.dsn, "layer": "gis.points"},
            "rules": [{"rule": "not_empty"}],
        }
    )
    reader = Pipeline.of([reading], Settings(store=project.folder / "read"))
    assert rows_scanned(project, lambda: reader.stage(reading)) < TABLES

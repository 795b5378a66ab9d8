"""A column changes its type: backfill, one partition held, one alert, one repair, one all-clear.

Everything that happens is done by iterations of Dagster's sensor and backfill daemons.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.alert.receivers import post, web
from spatial_pipeline_tests.orchestration.schema_daemon import (
    build,
    daemon,
    instance_on,
    loaded,
    published,
    retype,
)
from spatial_pipeline_tests.orchestration.schema_location import BUILT, contract, write_source

LOCATION = "spatial_pipeline_tests.orchestration.story_location"
BAD = "p07"


def read(folder: Path, key: str) -> list[object]:
    """What a reader gets of a partition."""
    data = Pipeline.of([contract(folder)]).read("parcels", key)
    batches = (data.batch(i, ["code"]) for i in range(data.batch_count()))
    return [code for batch in batches for code in batch.table["code"].to_pylist()]


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_a_column_changes_its_type(
    storage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    build(tmp_path, monkeypatch)
    before = published(tmp_path)
    codes = read(tmp_path, BAD)
    with web() as hook, post() as mail, instance_on(storage, request) as instance:
        monkeypatch.setenv("SPATIAL_ALERT_URLS", f"hook={hook.url}, mail={mail.url}")
        with daemon(instance, loaded(LOCATION)) as running:
            assert running.tick() == "nothing is outdated"
        assert not hook.received

        retype(tmp_path, bad=BAD)
        with daemon(instance, loaded(LOCATION)) as running:
            running.settle()
            running.tick()
            # Exactly what was built before: 12 of 14 partitions, each once.
            assert running.runs() == Counter(dict.fromkeys(BUILT, 1))
            now = published(tmp_path)
            assert [k for k in BUILT if now[k] == before[k]] == [BAD]
            assert read(tmp_path, BAD) == codes
            assert hook.told == [("opened", "parcels", BAD, "columns")]
            (told,) = hook.received
            assert BAD in told["title"]
            assert told["alerts"][0]["run_id"] in {
                r.run_id for r in instance.get_runs() if r.tags["dagster/partition"] == BAD
            }
            for _ in range(3):
                assert running.tick() == "nothing is outdated"
            assert len(hook.received) == len(mail.received) == 1

            write_source(tmp_path, BAD, ["c6", "c7"])
            running.settle()
            running.tick()
            assert running.runs() == Counter({**dict.fromkeys(BUILT, 1), BAD: 2})
            assert read(tmp_path, BAD) == ["c6", "c7"]
            assert hook.told[1:] == [("closed", "parcels", BAD, "columns")]
            for _ in range(3):
                assert running.tick() == "nothing is outdated"
            assert mail.ids == [f"<{i}@spatial-pipeline.alerts>" for i in hook.ids]
            assert len(set(hook.ids)) == 2
            assert len(instance.get_backfills()) == 4

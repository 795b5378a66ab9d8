"""Every setting reaches the processes that read it, memory adds up, and nothing grows for ever."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
import yaml
from dagster._core.test_utils import instance_for_test
from pydantic import ByteSize, TypeAdapter

from spatial_pipeline.runtime.json_logs import JsonLines
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.deployment import DEPLOY, ROOT, compose

NAMES = {f"SPATIAL_{n.upper()}" for n in Settings.model_fields}
GIB = 1 << 30
BESIDE = GIB // 2
"""Bytes of a process beside what a check or a reader is allowed: libraries and their buffers."""
TICKS = ("sensor", "schedule", "auto_materialize")


def size(text: str) -> int:
    """Bytes of a text of compose files or of settings."""
    return int(TypeAdapter(ByteSize).validate_python(re.sub(r"(?i)(?<=[0-9])g$", "GiB", text)))


@pytest.mark.parametrize("service", ["code", "metrics"])
def test_compose_passes_every_setting(service: str) -> None:
    given = {n: f"value of {n}" for n in NAMES} | {"POSTGRES_PASSWORD": "x"}
    passed = compose(given)["services"][service]["environment"]
    assert {n for n in NAMES if n not in passed} == set()
    assert {n for n in passed if n.startswith("SPATIAL_") and n not in NAMES} <= {
        "SPATIAL_CODE_HOST", "SPATIAL_CODE_PORT",
    }  # fmt: skip
    # The volume decides where the store is.
    assert {n for n in NAMES if passed[n] != given[n]} == {"SPATIAL_STORE"}


def test_settings_that_nobody_gives_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = compose({"POSTGRES_PASSWORD": "x"})["services"]["code"]["environment"]
    for name, value in passed.items():
        if name in NAMES:
            monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.memory == settings.cage_memory == GIB
    assert settings.alert_urls is None
    assert settings.allowed_sources is None


def test_the_memory_of_all_runs_fits_into_the_container() -> None:
    code = compose({"POSTGRES_PASSWORD": "x"})["services"]["code"]
    instance = yaml.safe_load((DEPLOY / "dagster-postgres.yaml").read_text(encoding="utf-8"))
    runs = instance["concurrency"]["runs"]["max_concurrent_runs"]
    variables = code["environment"]
    # A run stages, then checks: one of the two at a time.
    largest = max(size(variables["SPATIAL_MEMORY"]), size(variables["SPATIAL_CAGE_MEMORY"]))
    assert runs * (largest + BESIDE) + BESIDE <= size(code["mem_limit"])


def kubernetes() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (DEPLOY / "kubernetes-values.yaml").read_text(encoding="utf-8")
    )
    return found


def test_the_job_of_a_run_has_room_for_its_shares() -> None:
    """Without settings a check takes a quarter of the container, a reader three quarters."""
    limits = kubernetes()["runLauncher"]["config"]["k8sRunLauncher"]["resources"]["limits"]
    container = size(limits["memory"].replace("Gi", "GiB"))
    assert max(container // 4, container * 3 // 4) + BESIDE <= container


def test_ticks_are_deleted_everywhere() -> None:
    for path in (ROOT / "dagster.yaml", DEPLOY / "dagster-postgres.yaml"):
        retention = yaml.safe_load(path.read_text(encoding="utf-8"))["retention"]
        for kind in TICKS:
            days = retention[kind]["purge_after_days"]
            assert set(days) == {"skipped", "success", "failure"}, path
            assert all(0 < d <= 90 for d in days.values())
    values = kubernetes()["retention"]
    for kind in ("sensor", "schedule", "autoMaterialize"):
        days = values[kind]["purgeAfterDays"]
        assert all(0 < days[k] <= 90 for k in ("skipped", "success", "failure"))


def test_the_page_shows_how_runs_log_json() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "python_logs" in b]
    with instance_for_test(overrides=yaml.safe_load(block)) as instance:
        (handler,) = [h for h in instance.get_handlers() if isinstance(h.formatter, JsonLines)]
    record = logging.LogRecord("spatial_pipeline", logging.INFO, "", 0, "told %s", ("you",), None)
    assert json.loads(handler.format(record))["message"] == "told you"

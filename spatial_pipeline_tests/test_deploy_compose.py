"""The services of deploy/compose.yaml make a working installation."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline_tests.deployment import (
    DEPLOY,
    ROOT,
    Deployment,
    MissingVariableError,
    compose,
    free_port,
    interpolated,
)
from spatial_pipeline_tests.postgres import Cluster

PASSWORD = "p@ss word/'%"
LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUNS = """query($tag: ExecutionTag!) { runsOrError(filter: {tags: [$tag]}) {
  ... on Runs { results { runId status } } } }"""
STATUS = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""


@pytest.fixture(scope="module")
def deployment(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    database = postgres.new_database("deployed")
    home = tmp_path_factory.mktemp("deployment") / "dagster"
    code, web, metrics = str(free_port()), str(free_port()), str(free_port())
    deployment = Deployment(
        home,
        replaced={
            "postgres": postgres.host, "5432": str(postgres.port),
            PASSWORD: postgres.password, "code": "127.0.0.1", "0.0.0.0": "127.0.0.1",
            "4000": code, "3000": web, "0.0.0.0:9464": f"127.0.0.1:{metrics}",
            "/opt/dagster/workspace.yaml": str(home / "workspace.yaml"),
        },
        environment={"POSTGRES_PASSWORD": PASSWORD, "SPATIAL_RUN_PATIENCE_S": "15"},
        overrides={
            "DAGSTER_PG_DB": database, "DAGSTER_PG_USERNAME": postgres.user,
            "SPATIAL_STORE": str(home / "store"),
        },
    )  # fmt: skip
    try:
        deployment.start("code")
        deployment.wait("code", lambda: deployment.healthy("code"))
        deployment.start("webserver")
        deployment.start("daemon")
        yield deployment
    finally:
        deployment.stop()


def ask(deployment: Deployment, query: str, **variables: Any) -> Any:
    """The webserver's answer; None while it does not listen."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{deployment.replaced['3000']}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


@pytest.mark.timeout(600)
def test_a_run_goes_from_the_webserver_through_the_queue_to_the_code_server_and_publishes(
    deployment: Deployment,
) -> None:
    run = launch(deployment)

    def ended() -> str | None:
        status = ask(deployment, STATUS, id=run)["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    assert deployment.wait("run", ended, 300) == "SUCCESS"
    store = Path(deployment.variables("code")["SPATIAL_STORE"])
    assert (store / "counties" / "-" / "published.json").exists()
    # The captured logs of the run are where the webserver looks for them.
    assert any((deployment.home / "home" / "storage").rglob("*.err"))


def launch(deployment: Deployment) -> str:
    """Launches the dataset ``counties``; the id of the run."""
    deployment.wait("webserver", lambda: ask(deployment, "{ version }"))
    deployment.wait("daemon", lambda: deployment.healthy("daemon"))
    selection = [{"path": ["counties", "staged"]}, {"path": ["counties", "published"]}]
    launched = ask(
        deployment,
        LAUNCH,
        p={
            "mode": "default",
            "selector": {
                "repositoryLocationName": "spatial_pipeline",
                "repositoryName": "__repository__",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": selection,
                "assetCheckSelection": None,
            },
        },
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


@pytest.mark.timeout(600)
def test_the_metrics_service_answers_prometheus(deployment: Deployment) -> None:
    deployment.start("metrics")
    url = f"http://{deployment.replaced['0.0.0.0:9464']}/metrics"

    def scraped() -> str | None:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert answer.status == 200
                return str(answer.read(), "utf-8")
        except OSError:
            return None

    text = deployment.wait("metrics", scraped)
    assert text.endswith("# EOF\n")
    assert "spatial_dagster_up 1" in text
    assert 'spatial_runs{status="started"}' in text


@pytest.mark.timeout(600)
def test_stopped_in_mid_run_and_started_again_nothing_is_lost(deployment: Deployment) -> None:
    """As an upgrade without waiting: SIGTERM to daemon and code server, the same store again."""
    store = Path(deployment.variables("code")["SPATIAL_STORE"])
    first = launch(deployment)

    def at_work() -> bool:
        return bool(list((store / ".heartbeats").glob(f"{first}*")))

    deployment.wait("run", at_work, 300)
    deployment.drain("daemon")
    deployment.drain("code")
    status = ask(deployment, STATUS, id=first)["runOrError"]["status"]
    deployment.start("code")
    deployment.wait("code", lambda: deployment.healthy("code"))
    deployment.start("daemon")

    def done() -> list[str]:
        runs = ask(deployment, RUNS, tag={"key": "dagster/root_run_id", "value": first})
        found = [r["status"] for r in runs["runsOrError"]["results"]]
        own = ask(deployment, STATUS, id=first)["runOrError"]["status"]
        return [s for s in [own, *found] if s == "SUCCESS"]

    assert deployment.wait(f"the run that was {status}", done, 300) == ["SUCCESS"]
    assert (store / "counties" / "-" / "published.json").exists()
    assert not list(store.glob("*/*/.unfinished-*"))


def test_the_password_must_be_set() -> None:
    with pytest.raises(MissingVariableError, match="POSTGRES_PASSWORD: set POSTGRES_PASSWORD"):
        compose({})


def test_interpolation_follows_the_compose_specification() -> None:
    given = {"A": "a", "E": ""}
    assert interpolated("${A}-${A:-b}-${E:-b}-${N:-}-${N}", given) == "a-a-b--"


def test_services_are_built_from_files_that_exist_and_bind_to_loopback() -> None:
    file = compose({"POSTGRES_PASSWORD": PASSWORD})
    for service in ("code", "webserver", "daemon"):
        build = file["services"][service]["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert (ROOT / build["dockerfile"]).is_file()
    # Dagster's UI has no login.
    assert file["services"]["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    mounted = {
        v.split(":")[0] for s in file["services"].values() for v in s.get("volumes", [])
    }  # fmt: skip
    assert {v for v in mounted if not v.startswith(".")} == set(file["volumes"])


def test_the_dockerfile_copies_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY"):
            *sources, _ = [w for w in line.split()[1:] if not w.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), line

"""The Kubernetes values make a run's Job and an instance that Kubernetes and Dagster accept.

Helm itself is not here: what the chart's templates do with these values (camel case to snake case,
user deployment to container context) is repeated below, and the rest is dagster-k8s's own code.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config_schema
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test

from spatial_pipeline_tests.deployment import DEPLOY, ROOT

KUBERNETES = "1.33"
CODE = "dagster-user-deployments.deployments."
DAYS = "skipped success failure started"
CHART = {
    "": "generatePostgresqlPasswordSecret global postgresql dagster-user-deployments runLauncher"
        " dagsterWebserver dagsterDaemon concurrency retention pythonLogs telemetry"
        " additionalInstanceConfig",
    "global.": "postgresqlSecretName",
    "postgresql.": "enabled postgresqlHost postgresqlUsername postgresqlDatabase postgresqlScheme",
    "dagster-user-deployments.": "enabled deployments",
    CODE: "name image codeServerArgs port includeConfigInLaunchedRuns env envConfigMaps envSecrets"
          " volumes volumeMounts podSecurityContext resources",
    f"{CODE}image.": "repository tag pullPolicy",
    f"{CODE}includeConfigInLaunchedRuns.": "enabled",
    "runLauncher.": "type config",
    "runLauncher.config.": "k8sRunLauncher",
    "runLauncher.config.k8sRunLauncher.": "imagePullPolicy failPodOnRunFailure resources"
                                          " runK8sConfig",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.": "podSpecConfig jobSpecConfig",
    "dagsterWebserver.": "replicaCount resources",
    "dagsterDaemon.": "enabled resources runCoordinator runMonitoring runRetries sensors schedules"
                      " backfills",
    "dagsterDaemon.runCoordinator.": "enabled type config",
    "dagsterDaemon.runCoordinator.config.": "queuedRunCoordinator",
    "dagsterDaemon.runCoordinator.config.queuedRunCoordinator.": "dequeueUseThreads"
                                                                 " dequeueNumWorkers",
    "dagsterDaemon.runMonitoring.": "enabled startTimeoutSeconds maxResumeRunAttempts"
                                    " pollIntervalSeconds",
    "dagsterDaemon.runRetries.": "enabled maxRetries retryOnAssetOrOpFailure",
    **{f"dagsterDaemon.{n}.": "useThreads numWorkers" for n in ("sensors", "schedules",
                                                                "backfills")},
    "concurrency.": "enabled pools runs",
    "concurrency.pools.": "granularity defaultLimit",
    "concurrency.runs.": "maxConcurrentRuns tagConcurrencyLimits",
    "concurrency.runs.tagConcurrencyLimits.": "key limit",
    "retention.": "enabled sensor schedule autoMaterialize",
    **{f"retention.{n}.": "purgeAfterDays" for n in ("sensor", "schedule", "autoMaterialize")},
    **{f"retention.{n}.purgeAfterDays.": DAYS for n in ("sensor", "schedule", "autoMaterialize")},
    "pythonLogs.": "pythonLogLevel managedPythonLoggers",
    "telemetry.": "enabled",
}  # fmt: skip
"""Keys that the chart's schema has, looked up in dagster-io/dagster: ``helm/dagster/schema``."""
PASSED_ON = {
    "additionalInstanceConfig.", f"{CODE}env.", f"{CODE}envConfigMaps.", f"{CODE}envSecrets.",
    f"{CODE}volumes.", f"{CODE}volumeMounts.", f"{CODE}podSecurityContext.", f"{CODE}resources.",
    "runLauncher.config.k8sRunLauncher.resources.", "dagsterDaemon.resources.",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.podSpecConfig.",
    "runLauncher.config.k8sRunLauncher.runK8sConfig.jobSpecConfig.", "dagsterWebserver.resources.",
}  # fmt: skip
"""Objects of Kubernetes and of ``dagster.yaml``; the other tests validate them."""
RENDERED = {
    "scheduler", "schedule_storage", "run_storage", "event_log_storage", "run_launcher",
    "run_coordinator", "compute_logs", "python_logs", "run_monitoring", "run_retries", "sensors",
    "schedules", "backfills", "concurrency", "telemetry", "retention",
}  # fmt: skip
"""Keys of ``dagster.yaml`` that the chart writes: a second one would be an accident."""


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "kubernetes-values.yaml").read_text(encoding="utf-8"))


def snake(value: Any) -> Any:
    """Keys of the chart's values as Dagster spells them."""
    if isinstance(value, dict):
        return {re.sub(r"(?<=[a-z])([A-Z])", r"_\1", k).lower(): snake(v) for k, v in value.items()}
    return [snake(v) for v in value] if isinstance(value, list) else value


def launcher_config(values: dict[str, Any]) -> dict[str, Any]:
    """``run_launcher.config`` of the instance."""
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    run_config = {snake_key: given["runK8sConfig"][key] for snake_key, key in (
        ("pod_spec_config", "podSpecConfig"), ("job_spec_config", "jobSpecConfig"))}  # fmt: skip
    assert set(given) == {"imagePullPolicy", "failPodOnRunFailure", "resources", "runK8sConfig"}
    return {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
        "dagster_home": "/opt/dagster/dagster_home",
        "load_incluster_config": False,
        "job_namespace": "spatial",
        "image_pull_policy": given["imagePullPolicy"],
        "fail_pod_on_run_failure": given["failPodOnRunFailure"],
        "resources": given["resources"],
        "run_k8s_config": run_config,
    }


def instance_config(values: dict[str, Any]) -> dict[str, Any]:
    """``dagster.yaml`` as the chart renders it from these values, apart from the storage."""
    daemon = values["dagsterDaemon"]
    coordinator = daemon["runCoordinator"]
    return {
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": coordinator["type"],
            "config": snake(coordinator["config"]["queuedRunCoordinator"]),
        },
        "run_monitoring": snake(daemon["runMonitoring"]),
        "run_retries": snake(daemon["runRetries"]),
        "sensors": snake(daemon["sensors"]),
        "schedules": snake(daemon["schedules"]),
        "backfills": snake(daemon["backfills"]),
        "concurrency": {k: snake(v) for k, v in values["concurrency"].items() if k != "enabled"},
        "retention": snake({k: v for k, v in values["retention"].items() if k != "enabled"}),
        "python_logs": snake(values["pythonLogs"]),
        "telemetry": values["telemetry"],
        **values["additionalInstanceConfig"],
    }


def container_context(values: dict[str, Any]) -> dict[str, Any]:
    """What runs get from the user deployment (``includeConfigInLaunchedRuns``)."""
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert code["includeConfigInLaunchedRuns"] == {"enabled": True}
    return {"k8s": {
        "env": code["env"],
        "env_config_maps": [m["name"] for m in code["envConfigMaps"]],
        "env_secrets": [s["name"] for s in code["envSecrets"]],
        "volumes": code["volumes"],
        "volume_mounts": code["volumeMounts"],
    }}  # fmt: skip


class KubernetesApi(ThreadingHTTPServer):
    """As much of the Kubernetes API as launching a run needs: it takes Jobs and keeps them."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: KubernetesApi

    def do_POST(self) -> None:
        assert self.path.startswith("/apis/batch/v1/namespaces/spatial/jobs")
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.jobs.append(job)
        answer = json.dumps(job).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def launched(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The Job that the launcher of the values sends to the API for one run."""
    (code,) = values["dagster-user-deployments"]["deployments"]
    with KubernetesApi() as api:
        thread = Thread(target=api.serve_forever, daemon=True)
        thread.start()
        kubeconfig = tmp_path_factory.mktemp("kube") / "config"
        kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "here",
            "clusters": [{"name": "here", "cluster": {
                "server": f"http://127.0.0.1:{api.server_port}"}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        }), encoding="utf-8")  # fmt: skip
        config = instance_config(values) | {"run_launcher": {
            "module": "dagster_k8s", "class": values["runLauncher"]["type"],
            "config": launcher_config(values) | {"kubeconfig_file": str(kubeconfig)},
        }}  # fmt: skip
        origin = JobPythonOrigin(
            job_name="counties_job",
            repository_origin=RepositoryPythonOrigin(
                executable_path="python",
                code_pointer=ModuleCodePointer("spatial_pipeline.definitions", "defs", "."),
                container_image=f"{code['image']['repository']}:{code['image']['tag']}",
                container_context=container_context(values),
            ),
        )
        with dg.instance_for_test(overrides=config) as instance:
            assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
            run = create_run_for_test(instance, "counties_job", job_code_origin=origin)
            instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
            instance.run_launcher.dispose()
        api.shutdown()
        thread.join(timeout=10)
    (job,) = api.jobs
    return job


def test_kubernetes_accepts_the_job_of_a_run(launched: dict[str, Any]) -> None:
    job = copy.deepcopy(launched)
    kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_a_run_has_the_store_the_secrets_and_its_memory(launched: dict[str, Any]) -> None:
    job = copy.deepcopy(launched)
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400
    pod = job["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["image"] == "spatial-pipeline:0.1.0"
    assert {"name": "SPATIAL_STORE", "value": "/var/lib/spatial/store"} in container["env"]
    assert {"secretRef": {"name": "spatial-pipeline"}} in container["envFrom"]
    assert {"configMapRef": {"name": "spatial-pipeline"}} in container["envFrom"]
    assert {"name": "store", "mountPath": "/var/lib/spatial"} in container["volumeMounts"]
    assert container["resources"]["limits"] == {"memory": "8Gi"}
    # The store lies on the volume that all runs share.
    assert {"name": "store", "persistentVolumeClaim": {"claimName": "spatial-store"}} in pod[
        "volumes"
    ]


def test_a_value_that_kubernetes_does_not_know_is_refused(launched: dict[str, Any]) -> None:
    job = copy.deepcopy(launched)
    job["spec"]["ttlSecondsAfterFinish"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="ttlSecondsAfterFinish"):
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys of the values, down to what the chart passes on as it is."""
    if isinstance(value, list):
        for each in value:
            yield from keys(each, path)
    elif isinstance(value, dict) and path not in PASSED_ON:
        for key, below in value.items():
            yield f"{path}{key}"
            yield from keys(below, f"{path}{key}.")


def test_the_chart_has_every_key(values: dict[str, Any]) -> None:
    """Helm ignores keys that it does not know, or refuses the file: both only when deployed."""
    known = {f"{below}{name}" for below, names in CHART.items() for name in names.split()}
    assert set(keys(values)) <= known
    assert set(values["additionalInstanceConfig"]).isdisjoint(RENDERED)


def test_dagster_accepts_the_instance(values: dict[str, Any]) -> None:
    config = instance_config(values)
    checked = process_config(resolve_to_config_type(dagster_instance_config_schema()), config)
    assert checked.success, checked.errors
    # Only the launcher of Kubernetes takes up a run whose node died.
    config["run_monitoring"].pop("max_resume_run_attempts")
    with dg.instance_for_test(overrides=config) as instance:
        assert instance.run_monitoring_enabled
        limits = instance.get_concurrency_config()
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 10
        assert limits.pool_config.default_pool_limit == 4


def test_the_manifests_of_the_readme_are_valid() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    found = [
        document
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        for document in yaml.safe_load_all(block)
        if isinstance(document, dict) and "apiVersion" in document
    ]
    assert [d["kind"] for d in found] == ["PersistentVolumeClaim"]
    for document in found:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_both_deployments_keep_bad_data_from_being_retried(values: dict[str, Any]) -> None:
    for path in (DEPLOY / "dagster-postgres.yaml", ROOT / "dagster.yaml"):
        retries = yaml.safe_load(path.read_text(encoding="utf-8"))["run_retries"]
        assert retries["retry_on_asset_or_op_failure"] is False
    assert values["dagsterDaemon"]["runRetries"]["retryOnAssetOrOpFailure"] is False

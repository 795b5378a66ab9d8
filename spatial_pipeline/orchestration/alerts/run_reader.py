"""Converts a finished run to the subjects examined in it, and the problems among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent, DagsterEventType, DagsterRun
from dagster._core.storage.tags import WILL_RETRY_TAG

from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem, rule_key, shortened
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.gate.schema import SHOWN
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration.keys import DEAD_TAG, PARTITION_TAG
from spatial_pipeline.orchestration.metadata import SCHEMA_CHANGE
from spatial_pipeline.orchestration.run_end import CHECKS_FAILED, rules_failed

INVENTORY = dg.AssetKey(["operations", "inventory"])
"""The asset that lists held versions."""
FactOf = Callable[..., Problem | None]


@dataclass(frozen=True)
class StepSubject:
    """Subject of a step.

    Attributes:
        subject: name of the dataset, or of an asset or job outside the contracts.
        asset: asset key as ``a/b``, None for an op of a job.
        owners: owners of the asset.

    """

    subject: str
    asset: str | None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Location:
    """The assets and checks of a code location, by the names that events use."""

    name: str
    repository: dg.RepositoryDefinition

    @cached_property
    def owners(self) -> dict[dg.AssetKey, tuple[str, ...]]:
        """Owners of every asset."""
        return {
            key: tuple(definition.specs_by_key[key].owners)
            for key, definition in self.repository.assets_defs_by_key.items()
        }

    @cached_property
    def steps(self) -> dict[str, StepSubject]:
        """Every step of an asset or of checks, by the name of its node."""
        found: dict[str, StepSubject] = {}
        definitions = {
            **{d.node_def.name: (d, None) for d in self._executable()},
            **{
                d.node_def.name: (d, key)
                for key, d in self.repository.asset_checks_defs_by_key.items()
            },
        }
        for name, (definition, check) in definitions.items():
            keys = sorted(definition.keys) or ([check.asset_key] if check is not None else [])
            if keys:
                found[name] = StepSubject(
                    subject_of(keys[0]), keys[0].to_user_string(), self.owners.get(keys[0], ())
                )
        return found

    def step(self, step_key: str, job: str) -> StepSubject:
        """The subject of a step."""
        node = step_key.split("[", 1)[0].split(".", 1)[0]
        return self.steps.get(node) or StepSubject(job, None)

    def ours(self, run: DagsterRun, events: Sequence[DagsterEvent]) -> bool:
        """True when a run was launched from this code location, or runs its steps."""
        origin = run.remote_job_origin
        if origin is not None:
            return origin.location_name == self.name
        assets = {e.asset_check_planned_data.asset_key for e in events if _planned(e)}
        if not self.owners.keys().isdisjoint(assets | set(run.asset_selection or ())):
            return True
        touched = {e.step_key for e in events if e.step_key is not None}
        return any(t.split("[", 1)[0].split(".", 1)[0] in self.steps for t in touched)

    def _executable(self) -> list[dg.AssetsDefinition]:
        return [d for d in self.repository.assets_defs_by_key.values() if d.is_executable]


def subject_of(key: dg.AssetKey) -> str:
    """The dataset of one of its assets; another asset's own name."""
    ours = len(key.path) == 2 and key.path[1] in ("source", "staged", "published")
    return key.path[0] if ours else key.to_user_string()


@dataclass
class Reader:
    """Reads runs; caches the verdicts that it has read.

    Attributes:
        location: the code location.
        verdict: loads the verdict beside a version.
        fact_of: see ``alert_context.fact_of``, without the store.
        verdicts: cache of verdicts.
        inventory_at: POSIX seconds of the last inventory that was seen, None when none was.

    """

    location: Location
    verdict: Callable[[Version], Verdict | None]
    fact_of: FactOf
    verdicts: dict[Version, Verdict | None] = field(default_factory=dict)
    inventory_at: float | None = None

    def observation(
        self, run: DagsterRun, events: Sequence[DagsterEvent], at: float
    ) -> Observation | None:
        """The observation of a run; None when it belongs to another code location."""
        if not self.location.ours(run, events):
            return None
        retried = run.tags.get(WILL_RETRY_TAG) == "true" and DEAD_TAG not in run.tags
        partition = run.tags.get(PARTITION_TAG)
        facts: list[Problem] = []
        right: list[Key] = []
        for event in events:
            kind = event.event_type
            if _of_inventory(event):
                # Its list becomes incidents of the partitions; its check is for the UI.
                self.inventory_at = at
            elif kind is DagsterEventType.ASSET_CHECK_EVALUATION:
                self._evaluated(event.asset_check_evaluation_data, run, partition, facts, right)
            elif kind is DagsterEventType.ASSET_MATERIALIZATION:
                facts += self._schema_changed(event, run)
            elif kind is DagsterEventType.STEP_SUCCESS:
                right += self._step_keys(event, run, partition)
            elif kind is DagsterEventType.STEP_FAILURE:
                self._failed(event, run, partition, facts, right)
        if not any(e.event_type is DagsterEventType.STEP_FAILURE for e in events):
            self._ended(run, events, partition, facts, right)
        self._never_checked(run, events, partition, facts, right)
        if retried:
            # The run that Dagster launches instead says how it ended.
            facts = [f for f in facts if f.key.kind not in (Kind.RUN, Kind.UNCHECKED)]
        return Observation.of(at, facts, right)

    def _evaluated(
        self,
        evaluation: AssetCheckEvaluation,
        run: DagsterRun,
        partition: str | None,
        facts: list[Problem],
        right: list[Key],
    ) -> None:
        asset = evaluation.asset_key
        partition = evaluation.partition or partition
        key = rule_key(subject_of(asset), partition, evaluation.check_name)
        if evaluation.passed:
            right.append(key)
            return
        owners = self.location.owners.get(asset, ())
        version = _text(evaluation.metadata, "version")
        found: Problem | None = None
        if version is not None:
            judged = Version(key.dataset, partition, version)
            if judged not in self.verdicts:
                self.verdicts[judged] = self.verdict(judged)
            if (verdict := self.verdicts[judged]) is not None:
                found = self.fact_of(judged, key.name, run.run_id, owners, verdict)
        blocking = evaluation.severity is dg.AssetCheckSeverity.ERROR
        facts.append(
            found
            or Problem(
                key=key,
                severity=Severity.ERROR if blocking else Severity.WARN,
                summary=shortened(evaluation.description or "failed"),
                status=_text(evaluation.metadata, "status") or "failed",
                version=version,
                run_id=run.run_id,
                asset=asset.to_user_string(),
                owners=owners,
            )
        )

    def _schema_changed(self, event: DagsterEvent, run: DagsterRun) -> list[Problem]:
        """A schema that was taken without asking a person: one problem for all partitions."""
        made = event.step_materialization_data.materialization
        told = _text(made.metadata, SCHEMA_CHANGE)
        schema = _text(made.metadata, "schema_fingerprint")
        if told is None or schema is None:
            return []
        return [
            Problem(
                Key(subject_of(made.asset_key), None, Kind.SCHEMA, schema[:SHOWN]),
                Severity.WARN,
                shortened(told),
                status="accepted",
                version=_text(made.metadata, "version"),
                run_id=run.run_id,
                asset=made.asset_key.to_user_string(),
                owners=self.location.owners.get(made.asset_key, ()),
            )
        ]

    def _step_keys(self, event: DagsterEvent, run: DagsterRun, partition: str | None) -> list[Key]:
        step = self.location.step(event.step_key or "", run.job_name)
        names = [Key(step.subject, partition, Kind.RUN, event.step_key or "")]
        if step.asset == f"{step.subject}/published":
            names.append(Key(step.subject, partition, Kind.HELD, "published"))
        return names

    def _failed(
        self,
        event: DagsterEvent,
        run: DagsterRun,
        partition: str | None,
        facts: list[Problem],
        right: list[Key],
    ) -> None:
        data = event.step_failure_data
        error = data.error
        step_key, *held = self._step_keys(event, run, partition)
        if rules_failed(event) or (error is not None and error.cls_name == CHECKS_FAILED):
            # The step did its work; violations are reported by its checks.
            right.append(step_key)
            return
        step = self.location.step(event.step_key or "", run.job_name)
        told = {} if data.user_failure_data is None else data.user_failure_data.metadata
        reasons = told["reasons"].value if "reasons" in told else None
        attributes: dict[str, Any] = {
            "severity": Severity.ERROR,
            "run_id": run.run_id,
            "asset": step.asset,
            "owners": step.owners,
        }
        if held and isinstance(reasons, list):
            right.append(step_key)
            version = _text(told, "version")
            summary = shortened("; ".join(str(r) for r in reasons))
            facts.append(
                Problem(held[0], summary=summary, status="held", version=version, **attributes)
            )
            return
        cause = error
        while cause is not None and cause.cause is not None:
            cause = cause.cause
        said = "failed" if cause is None else f"{cause.cls_name}: {_message(cause.message)}"
        facts.append(Problem(step_key, summary=shortened(said), status="error", **attributes))

    def _ended(
        self,
        run: DagsterRun,
        events: Sequence[DagsterEvent],
        partition: str | None,
        facts: list[Problem],
        right: list[Key],
    ) -> None:
        """The observation of a run that succeeded, or failed without a step to blame."""
        subjects = {s.subject: s for s in self._touched(run, events)}
        failures = [e for e in events if e.event_type is DagsterEventType.RUN_FAILURE]
        for subject, step in sorted(subjects.items()):
            key = Key(subject, partition, Kind.RUN, "run")
            if failures:
                summary = shortened(_cause_of_death(events))
                facts.append(
                    Problem(
                        key,
                        Severity.ERROR,
                        summary,
                        status="error",
                        run_id=run.run_id,
                        asset=step.asset,
                        owners=step.owners,
                    )
                )
            elif run.is_success:
                right.append(key)

    def _touched(self, run: DagsterRun, events: Sequence[DagsterEvent]) -> list[StepSubject]:
        keys = {e.asset_check_planned_data.asset_key for e in events if _planned(e)}
        keys |= set(run.asset_selection or ())
        steps = [
            StepSubject(subject_of(k), k.to_user_string(), self.location.owners.get(k, ()))
            for k in sorted(keys)
        ]
        steps += [self.location.step(e.step_key, run.job_name) for e in events if e.step_key]
        return steps or [StepSubject(run.job_name, None)]

    def _never_checked(
        self,
        run: DagsterRun,
        events: Sequence[DagsterEvent],
        partition: str | None,
        facts: list[Problem],
        right: list[Key],
    ) -> None:
        """Checks that the run planned and did not evaluate: one problem per dataset.

        They are reported with the failure of a step of that dataset, when there is one.
        """
        planned: dict[str, dict[dg.AssetCheckKey, None]] = {}
        evaluated: set[dg.AssetCheckKey] = set()
        for event in events:
            if _planned(event):
                check = event.asset_check_planned_data.asset_check_key
                planned.setdefault(subject_of(check.asset_key), {})[check] = None
            elif event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION:
                data = event.asset_check_evaluation_data
                evaluated.add(dg.AssetCheckKey(data.asset_key, data.check_name))
        for subject, checks in planned.items():
            missing = [c for c in checks if c not in evaluated]
            key = Key(subject, partition, Kind.UNCHECKED, "checks")
            if not missing:
                right.append(key)
                continue
            names = ", ".join(sorted(c.name for c in missing))
            said = f"{len(missing)} of {len(checks)} rules never came to their turn: {names}"
            blamed = [
                i
                for i, f in enumerate(facts)
                if f.key.kind is Kind.RUN and f.key.dataset == subject
            ]
            if blamed:
                first = facts[blamed[0]]
                summary = shortened(f"{first.summary}; {said}")
                facts[blamed[0]] = replace(first, summary=summary)
                continue
            asset = missing[0].asset_key
            facts.append(
                Problem(
                    key,
                    Severity.ERROR,
                    shortened(said),
                    status="unchecked",
                    run_id=run.run_id,
                    asset=asset.to_user_string(),
                    owners=self.location.owners.get(asset, ()),
                )
            )


def _of_inventory(event: DagsterEvent) -> bool:
    evaluated = event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    return evaluated and event.asset_check_evaluation_data.asset_key == INVENTORY


def _planned(event: DagsterEvent) -> bool:
    return event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    text = getattr(value, "value", None)
    return text if isinstance(text, str) else None


def _cause_of_death(events: Sequence[DagsterEvent]) -> str:
    """Why a run failed without a step to blame: its own error, or that of its launch."""
    told = "the run failed"
    for event in events:
        if event.event_type is DagsterEventType.RUN_FAILURE:
            told = event.message or told
        elif event.event_type is not DagsterEventType.ENGINE_EVENT:
            continue
        error = getattr(event.event_specific_data, "error", None)
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            said = f"{error.cls_name}: {_message(error.message)}"
            return f"{event.message}: {said}" if event.message else said
    return told


def _message(text: str) -> str:
    """The message of an error, without the class name in front."""
    return text.partition(": ")[2] or text

"""OpenLineage run events: what a step read and wrote, its columns, and the results of its rules.

Pure: an event is a dict ready for JSON. Sending is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version as installed
from typing import Any

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.result import Result

SPEC = "https://openlineage.io/spec"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
RUN_FACET = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet"
FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "parent": "1-2-0/ParentRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
}
"""Version and name of the facets that are written."""
PACKAGE = "spatial_pipeline"
Json = dict[str, Any]


class EventType(StrEnum):
    """Transitions of a run."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


@dataclass(frozen=True)
class LineageRun:
    """A step of a dataset, under the names that all of its events share.

    Attributes:
        namespace: namespace of jobs and datasets.
        job: name of the job, as ``roads.staged``.
        run_id: UUID of this step.
        parent: name of the job and UUID of the run that the step belongs to.
        partition: partition key or None.

    """

    namespace: str
    job: str
    run_id: str
    parent: tuple[str, str]
    partition: str | None = None

    def event(
        self,
        kind: EventType,
        at: str,
        inputs: Sequence[Json] = (),
        outputs: Sequence[Json] = (),
        error: str | None = None,
    ) -> Json:
        """One event.

        Args:
            kind: transition.
            at: ISO 8601 time in UTC.
            inputs: datasets that were read.
            outputs: datasets that were written.
            error: reason of a failure.

        """
        job, run_id = self.parent
        facets = {
            "parent": facet(
                "parent", run={"runId": run_id}, job={"namespace": self.namespace, "name": job}
            ),
            PACKAGE: {
                "_producer": producer(),
                "_schemaURL": RUN_FACET,
                "partition": self.partition,
            },
        }
        if error is not None:
            facets["errorMessage"] = facet(
                "errorMessage", message=error, programmingLanguage="Python"
            )
        kind_of_job = facet(
            "jobType", processingType="BATCH", integration=PACKAGE.upper(), jobType="TASK"
        )
        return {
            "eventType": kind.value,
            "eventTime": at,
            "producer": producer(),
            "schemaURL": EVENT,
            "run": {"runId": self.run_id, "facets": facets},
            "job": {
                "namespace": self.namespace,
                "name": self.job,
                "facets": {"jobType": kind_of_job},
            },
            "inputs": list(inputs),
            "outputs": list(outputs),
        }


@dataclass(frozen=True)
class LineageDataset:
    """A dataset of an event.

    Attributes:
        namespace: its namespace.
        name: its name.
        facets: what is known of it.

    """

    namespace: str
    name: str
    facets: Mapping[str, Json] = field(default_factory=dict)

    def input(self, assertions: Json | None = None) -> Json:
        """The dataset as it was read, with results of rules about it."""
        own = {} if assertions is None else {"dataQualityAssertions": assertions}
        return {**self._json(), "inputFacets": own}

    def output(self, rows: int | None = None) -> Json:
        """The dataset as it was written."""
        own = {} if rows is None else {"outputStatistics": facet("outputStatistics", rowCount=rows)}
        return {**self._json(), "outputFacets": own}

    def _json(self) -> Json:
        return {"namespace": self.namespace, "name": self.name, "facets": dict(self.facets)}


def facet(name: str, **values: Any) -> Json:
    """A facet of the specification."""
    version, title = FACETS[name].split("/")
    url = f"{SPEC}/facets/{version}/{title}.json#/$defs/{title}"
    return {"_producer": producer(), "_schemaURL": url, **values}


def producer() -> str:
    """URI of this package."""
    return f"urn:spatial-pipeline:{installed(PACKAGE)}"


def version_facets(contract: DatasetContract, profile: Profile, version: str) -> dict[str, Json]:
    """Columns or bands, version and description of a version."""
    found = {
        "schema": facet("schema", fields=_fields(contract, profile)),
        "version": facet("version", datasetVersion=version),
    }
    if contract.description:
        found["documentation"] = facet("documentation", description=contract.description)
    return found


def row_count(profile: Profile) -> int | None:
    """Features of a version; None for a raster."""
    return profile.count if isinstance(profile, VectorProfile) else None


def assertions(contract: DatasetContract, results: Sequence[Result]) -> Json:
    """Results of rules as data quality assertions."""
    rules = {rule.check_name: rule for rule in contract.effective_rules}
    written = []
    for result in results:
        columns = rules[result.name].columns() if result.name in rules else ()
        value = {
            "assertion": result.rule,
            "success": result.passed,
            "column": columns[0] if len(columns) == 1 else None,
            "severity": result.severity.value,
            "name": result.name,
            "description": result.message or None,
            "expected": _number(result.threshold),
            "actual": _number(result.value),
            "params": {"status": result.status.value, "violations": result.violations},
        }
        written.append({k: v for k, v in value.items() if v is not None})
    return facet("dataQualityAssertions", assertions=written)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _fields(contract: DatasetContract, profile: Profile) -> list[Json]:
    if isinstance(profile, VectorProfile):
        columns = [(c.name, c.type) for c in profile.columns]
        if profile.geometry_column is not None:
            columns.append((profile.geometry_column, profile.geometry_type or "geometry"))
    else:
        columns = [
            (band.description or f"band {i}", band.data_type)
            for i, band in enumerate(profile.bands, start=1)
        ]
    described = contract.column_descriptions
    return [
        {
            "name": name,
            "type": kind,
            **({"description": described[name].text} if name in described else {}),
            "ordinal_position": position,
        }
        for position, (name, kind) in enumerate(columns, start=1)
    ]

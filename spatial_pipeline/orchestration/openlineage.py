"""OpenLineage events of the steps of a dataset; none without ``SPATIAL_OPENLINEAGE_URL``.

Each step is a run with its own UUID below the Dagster run: one START, and one COMPLETE, FAIL or
ABORT. A process that is killed sends no end; Dagster's own integrations have the same gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg

from spatial_pipeline.contract.database_url import is_database, redacted
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration.keys import published_key, staged_key
from spatial_pipeline.settings import Settings

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.lineage_sender import LineageSender
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.report.openlineage import EventType, LineageDataset, LineageRun

StepContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class StepLineage:
    """Sends the events of one step, around its work; does nothing where events are off.

    Used by ``with`` or, where a loop runs, by ``async with``, which sends in a thread.

    Attributes:
        error: reason for which the step fails although its work was done.

    """

    def __init__(
        self, context: StepContext, contract: Contract, step: str, partition: str | None
    ) -> None:
        self.error: str | None = None
        self._inputs: list[dict[str, Any]] = []
        self._outputs: list[dict[str, Any]] = []
        self._contract = contract
        self._sender: LineageSender | None = None
        settings = Settings()
        if settings.openlineage_url is None:
            return
        # Loaded by steps whose events somebody wants.
        from spatial_pipeline.pipeline.lineage_sender import lineage_sender
        from spatial_pipeline.report.openlineage import LineageRun

        self._sender = lineage_sender(settings)
        self._run: LineageRun = LineageRun(
            settings.openlineage_namespace,
            f"{contract.name}.{step}",
            str(uuid4()),
            (context.run.job_name, context.run.run_id),
            partition,
        )

    def reads_source(self) -> None:
        """Adds the source as an input."""
        if self._sender is not None:
            self._inputs.append(_source(self._contract, self._run.partition).input())

    def reads(
        self, pipeline: Pipeline, version: Version, results: Sequence[Result] | None = None
    ) -> None:
        """Makes a staged version the input, with the results of its rules."""
        if self._sender is None:
            return
        from spatial_pipeline.report.openlineage import LineageDataset, assertions

        judged = None if results is None else assertions(self._contract, results)
        found = self._version(pipeline, version, staged_key(version.dataset)).input(judged)
        others = [
            LineageDataset(self._run.namespace, published_key(o).to_user_string()).input()
            for o in (self._contract.others if results is not None else ())
        ]
        self._inputs = [found, *others]

    def writes(self, pipeline: Pipeline, version: Version, key: dg.AssetKey) -> None:
        """Makes a version, as an asset, the output."""
        if self._sender is None:
            return
        from spatial_pipeline.report.openlineage import row_count

        rows = row_count(pipeline.store.profile(version))
        self._outputs = [self._version(pipeline, version, key).output(rows)]

    def __enter__(self) -> Self:
        self._send(self._kind(None, started=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(error)

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self.error = str(getattr(error, "description", None) or error or type(error).__name__)
        self._send(self._kind(error, started=False))

    def _kind(self, error: BaseException | None, *, started: bool) -> EventType | None:
        if self._sender is None:
            return None
        from spatial_pipeline.report.openlineage import EventType

        if started:
            return EventType.START
        if error is not None and not isinstance(error, Exception):
            return EventType.ABORT
        return EventType.COMPLETE if self.error is None else EventType.FAIL

    def _send(self, kind: EventType | None) -> None:
        if self._sender is None or kind is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = self._run.event(kind, at, self._inputs, self._outputs, self.error)
        self._sender.send(event)

    def _version(self, pipeline: Pipeline, version: Version, key: dg.AssetKey) -> LineageDataset:
        from spatial_pipeline.report.openlineage import LineageDataset, version_facets

        facets = version_facets(self._contract, pipeline.store.profile(version), version.id)
        return LineageDataset(self._run.namespace, key.to_user_string(), facets)


def _source(contract: Contract, partition: str | None) -> LineageDataset:
    """The source under OpenLineage's names: of a file its path, else scheme and host, then path."""
    from spatial_pipeline.report.openlineage import LineageDataset

    uri = redacted(contract.source.uri)
    uri = uri if partition is None else uri.replace("{partition}", partition)
    address = urlsplit(uri)
    layer = contract.source.layer
    if is_database(uri):
        name = "/".join(filter(None, (address.path.strip("/"), layer or "query")))
        return LineageDataset(f"postgres://{address.netloc}", name)
    if address.netloc:
        return LineageDataset(f"{address.scheme}://{address.netloc}", address.path.lstrip("/"))
    return LineageDataset("file", str((contract.base / Path(uri)).absolute()))

"""The use cases of one dataset: stage, check, publish.

Neither Dagster nor the command line adds a step to this; they only decide when it happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spatial_pipeline import ingest
from spatial_pipeline.check.engine.engine import Evaluation, evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.errors import raise_all
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.distributed.client import PATIENCE_S, connected
from spatial_pipeline.errors import GateClosedError, NotPublishedError, StoreError
from spatial_pipeline.gate.decision import Decision, merged
from spatial_pipeline.gate.decision import evaluate as evaluate_gate
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.pipeline.check_history import earlier
from spatial_pipeline.pipeline.comparison_data import Comparisons
from spatial_pipeline.pipeline.stac_export import keep_stac_item
from spatial_pipeline.pipeline.staging import Progress, Stager
from spatial_pipeline.publish import files, table
from spatial_pipeline.report import violations
from spatial_pipeline.runtime.event_loop import SLOW, to_thread_whole, watching
from spatial_pipeline.runtime.memory import default_memory
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.staged import StagedVector
from spatial_pipeline.store.versions import Store
from spatial_pipeline.store.violation_files import spilling

if TYPE_CHECKING:
    from spatial_pipeline.publish.postgis.pool import Database
    from spatial_pipeline.publish.postgis.publisher import Publisher

FINDINGS_SHARE = 8
"""A check keeps one part in this many of its memory for violations; the rest are in files."""


@dataclass(frozen=True)
class Audit:
    """Result of a check of one version.

    Attributes:
        verdict: the verdict now stored beside the version.
        evaluations: the rules that were evaluated, with all their violations.

    """

    verdict: Verdict
    evaluations: list[Evaluation]

    @property
    def results(self) -> list[Result]:
        """The results of the rules that were evaluated."""
        return [r for r, _ in self.evaluations]


def database_of(settings: Settings) -> Database | None:
    """The environment's database, not opened yet; None when none is configured.

    Raises:
        StoreError: the address is no libpq URI.

    """
    if settings.database_url is None:
        return None
    # The driver of PostgreSQL is loaded where a database is configured.
    from spatial_pipeline.publish.postgis.pool import Database, ServerAddress

    return Database(
        ServerAddress(
            dsn=settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            acquire_timeout_s=settings.database_acquire_timeout_s,
            statement_timeout_s=settings.database_statement_timeout_s,
            patience_s=settings.lock_timeout_s,
        )
    )


@dataclass(frozen=True)
class Pipeline:
    """The datasets of a project, with the store of their versions.

    Attributes:
        contracts: contract of every dataset by its name.
        store: where versions live.
        allowed_sources: see ``Settings.allowed_sources``.
        jobs: worker threads of a check.
        database: where vector datasets with ``publish.table`` and the register of rasters live;
            None publishes files only.
        database_url: see ``Settings.database_url``.
        limits: bounds of sources on other machines.
        cage: bounds of the processes that read files.
        slow_callback_s: see ``Settings.slow_callback_s``.
        memory: see ``Settings.memory``.
        dask_scheduler: see ``Settings.dask_scheduler``.
        dask_patience_s: see ``Settings.dask_patience_s``.
        incremental: see ``Settings.incremental``.

    """

    contracts: Mapping[str, Contract]
    store: Store
    allowed_sources: tuple[str, ...] | None = None
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    database: Database | None = None
    database_url: str | None = field(default=None, repr=False)
    limits: ingest.TransferLimits = ingest.DEFAULTS
    cage: ingest.CageLimits = field(default_factory=ingest.CageLimits)
    slow_callback_s: float = SLOW
    memory: int = field(default_factory=default_memory)
    dask_scheduler: str | None = None
    dask_patience_s: float = PATIENCE_S
    incremental: bool = True

    @classmethod
    def of(
        cls,
        contracts: Sequence[Contract],
        settings: Settings | None = None,
        database: Database | None = None,
    ) -> Pipeline:
        """The pipeline of these contracts in the environment's store and database.

        Args:
            contracts: the contracts.
            settings: the environment unless given.
            database: an opened database; the environment's, not opened yet, unless given.

        """
        settings = settings or Settings()
        address = settings.database_url
        return cls(
            contracts={c.name: c for c in contracts},
            store=Store(settings.store, settings.lock_timeout_s),
            allowed_sources=settings.allowed_sources,
            database=database or database_of(settings),
            database_url=None if address is None else address.get_secret_value(),
            limits=settings.transfer_limits,
            cage=settings.cage_limits,
            slow_callback_s=settings.slow_callback_s,
            memory=settings.memory,
            dask_scheduler=settings.dask_scheduler,
            dask_patience_s=settings.dask_patience_s,
            incremental=settings.incremental,
        )

    @property
    def stager(self) -> Stager:
        """Stages sources in the store of this pipeline."""
        return Stager(self.store, self.allowed_sources, self.database_url, self.limits, self.cage)

    def stage(
        self, contract: Contract, partition: str | None = None, progress: Progress | None = None
    ) -> Version:
        """Ingests the source as it is now; does nothing when the same content is already staged.

        A source that cannot be read is staged too: empty, with the error in its profile, so that
        the failure is a check result with its history.

        Raises:
            StoreError: the store cannot be written.

        """
        return self.stager.stage(
            contract.name, contract.kind, contract.source, partition, contract.base, progress
        )

    async def audit(
        self,
        contract: Contract,
        version: Version,
        only: Sequence[str] | None = None,
        *,
        stand_in: bool = False,
        baselines: bool = True,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Audit:
        """Checks a staged version and stores the verdict beside it.

        Args:
            contract: the contract as it is today.
            version: the version to check.
            only: names of the rules to check; all unless given. Rules that are not checked keep
                their former result; without one, the gate stays closed.
            stand_in: where another dataset has no published version, compare with its staged one
                and note that.
            baselines: suppress the violations in the baselines of the rules.
            progress: called with pieces done and pieces planned.

        Raises:
            ContractError: the data have no such column as ``key`` of the contract names.
            ClusterError: ``dask_scheduler`` names no scheduler that answers; nothing is checked
                on this machine instead, and no verdict is stored.

        """
        rules = [
            r.pinned() for r in contract.effective_rules if only is None or r.check_name in only
        ]
        data = await asyncio.to_thread(self.store.open, version)
        if isinstance(data.profile, VectorProfile) and data.profile.error is None:
            raise_all(contract.key_mistakes([c.name for c in data.profile.columns]))
        stop = threading.Event()
        with (
            watching(self.slow_callback_s),
            spilling(self.memory // FINDINGS_SHARE) as sink,
            temporary_folder() as temporary,
        ):

            def going(_done: int, _total: int | None) -> None:
                if stop.is_set():
                    raise asyncio.CancelledError

            bench = Store(temporary)
            compared = Comparisons(
                self.stager, self.contracts, contract, version, bench, stand_in, going
            )
            async with connected(
                self.dask_scheduler, self.store.root, patience_s=self.dask_patience_s
            ) as remote:
                evaluations = await evaluate(
                    rules,
                    data,
                    key=contract.key_columns,
                    others=compared.others,
                    accepted=lambda rule: compared.accepted(rule, data.profile, baselines),
                    plan=Plan(self.jobs, memory=self.memory, sink=sink),
                    progress=progress,
                    stop=stop,
                    remote=remote,
                    history=earlier(self.store, version, data) if self.incremental else None,
                )
            evaluations = [
                (replace(r, message=f"{r.message}; {compared.remarks[r.name]}"), f)
                if r.name in compared.remarks
                else (r, f)
                for r, f in evaluations
            ]
            verdict = await to_thread_whole(self._record, contract, version, data, evaluations)
        return Audit(verdict, evaluations)

    def decide(self, contract: Contract, version: Version) -> Decision:
        """The gate's decision about a version, without publishing it."""
        decision = evaluate_gate(contract, version, self.store, proven=False)
        missing = self._missing_database(contract)
        return replace(decision, reasons=(*decision.reasons, missing)) if missing else decision

    def publish(self, contract: Contract, version: Version) -> Publication:
        """Publishes a version to files only, if the gate is open for it.

        Raises:
            GateClosedError: the gate is closed; readers keep the version they have. It is closed
                too for a contract that names a table: :meth:`apublish` writes tables.

        """
        if contract.table is not None:
            reason = self._missing_database(contract) or f"{contract.table} is written by apublish"
            raise GateClosedError(f"{version} is held: {reason}", (reason,))
        publication = files.publish(contract, version, self.store)
        return keep_stac_item(self.store, version, publication)

    async def apublish(self, contract: Contract, version: Version) -> Publication:
        """Publishes a version to files and, where the contract names one, to its table.

        Rasters are registered in ``spatial_pipeline.rasters`` of a configured database.

        Raises:
            GateClosedError: the gate is closed; readers keep the version they have.
            StoreError: the store or the database cannot be written.

        """
        missing = self._missing_database(contract)
        if missing:
            raise GateClosedError(f"{version} is held: {missing}", (missing,))
        if not self._uses_database(contract):
            return await asyncio.to_thread(self.publish, contract, version)
        async with self._publisher(contract, version) as publisher:
            publication = await table.publish(contract, version, self.store, publisher)
        return await asyncio.to_thread(keep_stac_item, self.store, version, publication)

    async def roll_back(
        self, contract: Contract, partition: str | None = None, to: str | None = None
    ) -> Publication:
        """Publishes an earlier version again, after checking it against today's contract.

        Args:
            contract: the contract as it is today.
            partition: partition key.
            to: id of the version; the one published before the current one unless given.

        Raises:
            NotPublishedError: there is no earlier published version.
            StoreError: there is no such version.
            GateClosedError: the version does not pass the contract of today, or its files are not
                those that were staged.

        """
        name = contract.name
        publication = self.store.published(name, partition)
        if to is None:
            if publication is None or not publication.history:
                msg = f"{name} has no version that was published before the current one"
                raise NotPublishedError(msg)
            earlier = [h for h in publication.history if h not in publication.withdrawn]
            to = (earlier or list(publication.history))[0]
        version = Version(name, partition, to)
        if not self.store.has(version):
            known = ", ".join(v.id for v in self.store.versions(name, partition)) or "none"
            msg = f"{version} is not in the store; versions of {name}: {known}"
            raise StoreError(msg)
        decision = await asyncio.to_thread(
            evaluate_gate, contract, version, self.store, by_name=True
        )
        if not decision.open:
            await self.audit(contract, version)
        missing = self._missing_database(contract)
        if missing:
            raise GateClosedError(f"{version} is held: {missing}", (missing,))
        if not self._uses_database(contract):
            publication = await asyncio.to_thread(files.roll_back, contract, version, self.store)
        else:
            async with self._publisher(contract, version) as publisher:
                publication = await table.roll_back(contract, version, self.store, publisher)
        return await asyncio.to_thread(keep_stac_item, self.store, version, publication)

    def read(self, dataset: str, partition: str | None = None) -> Reader:
        """The published version of a dataset.

        Raises:
            NotPublishedError: nothing was published yet.

        """
        return self.store.open(self.store.published_version(dataset, partition))

    def _missing_database(self, contract: Contract) -> str:
        """Reason why the contract's table cannot be written at all; empty when it can."""
        if contract.table is None or self.database is not None:
            return ""
        return f"publish.table is {contract.table}, but SPATIAL_DATABASE_URL is not set"

    def _uses_database(self, contract: Contract) -> bool:
        registered = contract.table is not None or contract.kind == "raster"
        return self.database is not None and registered

    @contextlib.asynccontextmanager
    async def _publisher(self, contract: Contract, version: Version) -> AsyncIterator[Publisher]:
        """The database, ready to take a version."""
        if self.database is None:
            msg = "SPATIAL_DATABASE_URL is not set"
            raise StoreError(msg)
        from spatial_pipeline.publish.postgis.publisher import Candidate, publishing

        data = await asyncio.to_thread(self.store.open, version)
        candidate = Candidate(
            version=version,
            profile=data.profile,
            path=await asyncio.to_thread(self.store.data_path, version),
            data=data if isinstance(data, StagedVector) else None,
            table=contract.table,
            key=contract.key_columns,
            comment=contract.description or contract.name,
            geometry=contract.geometry_column,
            columns={c: d.text for c, d in contract.column_descriptions.items() if d.text},
        )
        async with self.database.opened() as database, publishing(database, candidate) as publisher:
            yield publisher

    def _record(
        self,
        contract: Contract,
        version: Version,
        data: Reader,
        evaluations: list[Evaluation],
    ) -> Verdict:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        results = [r for r, _ in evaluations]
        names = [r.check_name for r in contract.effective_rules]
        layer = self.store.path(version) / "violations.parquet"

        def write(path: Path) -> None:
            violations.rewrite(path, layer, evaluations, names, data.profile.pyproj_crs)

        return self.store.save_verdict(
            version, lambda former: merged(contract, version, former, results, now), write
        )

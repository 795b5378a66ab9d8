"""The environment, typed and read once by whoever composes the application."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from spatial_pipeline.ingest.cage.limits import CageLimits, Mode
from spatial_pipeline.runtime.event_loop import SLOW
from spatial_pipeline.runtime.memory import default_memory, memory_available
from spatial_pipeline.sources.limits import TransferLimits


class Settings(BaseSettings):
    """Environment variables of the form ``SPATIAL_<NAME>``; every one is optional.

    Attributes:
        store: folder of staged and published versions.
        contracts: file or folder of contracts, for commands that are given none. Default: the demo.
        allowed_sources: paths, packages (``package://name``) and URL prefixes. A source that is not
            below one of them is refused before it is read. Default: no restriction.
        fetch_max_bytes: maximum bytes fetched for one source, all its files together.
        fetch_connect_timeout_s: maximum seconds to wait for a connection to a web server or object
            store.
        fetch_read_timeout_s: maximum seconds to wait for the next bytes.
        fetch_attempts: attempts per request.
        database_url: libpq URI of the PostGIS database. Without it, data are published to files
            only.
        database_pool_size: maximum number of connections per process.
        database_acquire_timeout_s: maximum seconds to wait for a connection to a full or starting
            server.
        database_statement_timeout_s: maximum seconds per statement, COPY and index builds included.
        lock_timeout_s: maximum seconds to wait for a lock of another process, in the store or the
            database. Its owner is logged after ten seconds.
        autostart: ``false`` creates all schedules and sensors switched off, alerts included, as for
            a developer's machine. A setting made in Dagster's UI takes precedence.
        strict_contracts: ``true`` makes a code location fail to load if one of its contracts has a
            mistake. Otherwise the other contracts load, and the mistake is an incident.
        run_patience_s: seconds without a heartbeat after which a run counts as dead and is ended.
        alert_urls: Apprise URLs of the alert channels; see [alerts](alerts.md#channels).
        heartbeat_url: URL that is requested after every successful tick of the alerts, so that a
            monitoring service notices when they stop.
        openlineage_url: address that takes OpenLineage events: ``http://host:5000`` or
            ``file:///folder/events.ndjson``; see [OpenLineage](dagster.md#openlineage). Default:
            none are sent.
        openlineage_api_key: bearer token for that address.
        openlineage_namespace: namespace of jobs and datasets in the events.
        ui_url: address of Dagster's UI, for links in alerts.
        store_url: address at which people find the files of the store, for links in alerts.
        log_format: ``json`` makes the command line log one JSON object per line on stderr.
        environment: name of the deployment, in front of the titles of alerts.
        memory: memory for the pieces in flight and the violations of a check. Default: a quarter of
            the memory of the machine or container.
        slow_callback_s: seconds that a call may block the event loop of a check before it is
            logged; 0 disables this.
        dask_scheduler: address of a Dask scheduler that distributes checks, as
            ``tcp://host:8786``. Default: threads of this machine.
        incremental: ``false`` makes every check look at every feature. Otherwise features that are
            unchanged since an earlier version, and had no violations, are only counted.
        cage: sandbox of the child process that reads files. ``auto`` uses Landlock if the kernel
            has it, ``require`` reads nothing without it, ``basic`` does not use it.
        cage_memory: memory for reading one source. Default: three quarters of the memory of the
            machine or container.
        cage_wall_s: maximum seconds for reading one source.
        cage_cpu_s: maximum seconds of processor time for reading one source.
        cage_file_bytes: maximum bytes of a file that reading a source may write.
        cage_open_files: maximum number of files that reading a source may have open.
        max_pixels_per_byte: maximum pixels that a raster may declare per byte of its files.
        dask_patience_s: maximum seconds that a check waits for a worker while the scheduler has
            none.

    """

    model_config = SettingsConfigDict(
        # A variable that compose files and manifests pass on unset arrives empty.
        env_prefix="SPATIAL_",
        frozen=True,
        env_ignore_empty=True,
    )

    store: Path = Path(".spatial/store")
    contracts: Path | None = None
    allowed_sources: tuple[str, ...] | None = None
    database_url: SecretStr | None = None
    database_pool_size: int = Field(4, ge=1)
    database_acquire_timeout_s: float = Field(60.0, gt=0)
    database_statement_timeout_s: float = Field(3600.0, gt=0)
    lock_timeout_s: float = Field(3600.0, gt=0)
    fetch_max_bytes: int = Field(64 << 30, ge=1)
    fetch_connect_timeout_s: float = Field(10.0, gt=0)
    fetch_read_timeout_s: float = Field(60.0, gt=0)
    fetch_attempts: int = Field(5, ge=1)
    alert_urls: SecretStr | None = None
    heartbeat_url: SecretStr | None = None
    openlineage_url: SecretStr | None = None
    openlineage_api_key: SecretStr | None = None
    openlineage_namespace: str = Field("spatial_pipeline", min_length=1)
    ui_url: str | None = None
    store_url: str | None = None
    environment: str | None = None
    log_format: Literal["text", "json"] = "text"
    autostart: bool = True
    run_patience_s: float = Field(120.0, gt=0)
    strict_contracts: bool = False
    slow_callback_s: float = Field(SLOW, ge=0)
    memory: ByteSize = Field(default_factory=lambda: ByteSize(default_memory()), ge=1)
    dask_scheduler: str | None = None
    dask_patience_s: float = Field(60.0, gt=0)
    incremental: bool = True
    cage: Mode = CageLimits.mode
    cage_memory: ByteSize = Field(
        default_factory=lambda: ByteSize(memory_available() * 3 // 4), ge=64 << 20
    )
    cage_wall_s: float = Field(CageLimits.wall_s, gt=0)
    cage_cpu_s: int = Field(CageLimits.cpu_s, ge=1)
    cage_file_bytes: ByteSize = Field(ByteSize(CageLimits.file_bytes), ge=1)
    cage_open_files: int = Field(CageLimits.open_files, ge=64)
    max_pixels_per_byte: int = Field(CageLimits.pixels_per_byte, ge=1)

    @property
    def transfer_limits(self) -> TransferLimits:
        """Bounds of fetching one source."""
        return TransferLimits(
            max_bytes=self.fetch_max_bytes,
            connect_timeout_s=self.fetch_connect_timeout_s,
            read_timeout_s=self.fetch_read_timeout_s,
            attempts=self.fetch_attempts,
        )

    @property
    def cage_limits(self) -> CageLimits:
        """Limits of the process that reads foreign files."""
        return CageLimits(
            mode=self.cage,
            memory=self.cage_memory,
            wall_s=self.cage_wall_s,
            cpu_s=self.cage_cpu_s,
            file_bytes=self.cage_file_bytes,
            open_files=self.cage_open_files,
            pixels_per_byte=self.max_pixels_per_byte,
        )

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
        store: folder that holds staged and published versions.
        contracts: file or folder of contracts for commands that are given none; those of this
            package's demo unless given.
        allowed_sources: when set, a source must lie below one of these paths, packages
            (``package://name``) or URL prefixes; everything else is refused before any read.
        fetch_max_bytes: most bytes of one source on another machine, all its files together.
        fetch_connect_timeout_s: longest wait for a connection to a web server or object store.
        fetch_read_timeout_s: longest wait for its next bytes.
        fetch_attempts: attempts per request.
        database_url: libpq URI of the PostGIS database; files only without it.
        database_pool_size: most connections of one process.
        database_acquire_timeout_s: how long to wait for a connection of a full or starting server.
        database_statement_timeout_s: longest statement, COPY and index builds included.
        lock_timeout_s: longest wait for a lock that another process holds, in the store or in the
            database; whose it is is logged after ten seconds.
        autostart: False lets all schedules and sensors begin switched off, alerts included, as on
            a developer's machine; a setting made in Dagster's UI takes precedence.
        strict_contracts: true makes a code location fail to load if one of its contracts has a
            mistake; otherwise the other contracts load, and the mistake is an incident.
        run_patience_s: seconds without a sign of life after which a run counts as dead, and is
            ended.
        alert_urls: Apprise URLs of the alert channels; see docs/alerts.md.
        heartbeat_url: URL that is requested after every successful tick of the alerts, so that a
            monitoring service notices when they stop.
        ui_url: address of Dagster's UI, for links in alerts.
        store_url: address under which people find the files of the store, for links in alerts.
        log_format: ``text``, or ``json`` for one JSON object a line on stderr of the command line.
        environment: name of the deployment, in front of the titles of alerts.
        memory: bytes that a check may use for the pieces in flight (2GiB, 500MB); a quarter of
            what the machine or the container has unless given.
        slow_callback_s: seconds for which a call may hold the event loop of a check before it is
            named in the log; 0 does not watch.
        dask_scheduler: address of a Dask scheduler, as ``tcp://host:8786``, whose workers look at
            the pieces of a check; this machine's threads do without it.
        incremental: false looks at every feature in every check; else those that an earlier version
            of the dataset had, and of which nothing was to be said, are counted only.
        cage: how foreign files are read: ``auto`` in a child process behind Landlock where the
            kernel has it, ``require`` not without it, ``basic`` in a child process without it.
        cage_memory: bytes of memory that reading one source may use; three quarters of what the
            machine or the container has unless given.
        cage_wall_s: seconds that reading one source may take.
        cage_cpu_s: seconds of processor time that reading one source may take.
        cage_file_bytes: bytes of the largest file that reading a source may write.
        cage_open_files: most files that reading a source may have open.
        max_pixels_per_byte: most pixels that a raster may declare for each byte of its files.
        dask_patience_s: seconds that a check waits for a worker while the scheduler has none.

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
